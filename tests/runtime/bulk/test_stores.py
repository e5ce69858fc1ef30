"""`spikehalt run s3://… --out s3://…` and `gs://…`, from and to a store that speaks it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow.fs", reason="needs pip install 'spikehalt[ray]'")

from runtime import Engine
from runtime.bulk.folders import folder_at
from runtime.bulk.places import shown
from runtime.bulk.shards import find_shards
from runtime.cli import main
from runtime.errors import InputError
from spikehalt.errors import OutputError
from tests.runtime.bulk.store import KINDS, Kind, ObjectStore
from tests.runtime.serve.conftest import encoded, write_toy
from tests.runtime.toy import toy_manifest

PIXELS = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 3), np.uint8)
SPEC = toy_manifest().input


def pictures(folder: str) -> dict[str, bytes]:
    """Files of a bucket, one of which is no picture, and a tar file of the others."""
    files = {f"{number} of 5%?.png": encoded(each, "PNG") for number, each in enumerate(PIXELS)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    files |= {"9.png": b"nothing", "notes.txt": b"", "more/all.tar": buffer.getvalue()}
    return {f"{folder}/{name}": content for name, content in files.items()}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.scheme)
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    if kind.program is None:
        pytest.skip(kind.reason)
    return kind


@pytest.fixture
def store(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    for name, value in kind.environment.items():
        monkeypatch.setenv(name, value)
    with ObjectStore(kind, tmp_path / "store.log") as store:
        store.fill(pictures("photos"))
        yield store


def rows(store: ObjectStore, shard: int) -> list[dict[str, Any]]:
    """The results of a shard."""
    text = store.read(f"out/shard-{shard:06}.jsonl").decode()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_a_bucket_is_answered_into_a_bucket_once(
    kind: Kind, store: ObjectStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = f"{kind.scheme}://bucket"
    with Engine(write_toy(tmp_path / "toy.bundle")) as engine:
        labels = engine(PIXELS).labels.tolist()
    line = ["run", str(tmp_path / "toy.bundle"), store.uri("photos"), "--out", store.uri("out")]
    line += ["--format", "jsonl", "--shard", "100", "--json"]
    assert main(line) == 1  # the picture that is none
    told = json.loads(capsys.readouterr().out)
    assert (told["out"], told["images"], told["unread"]) == (f"{bucket}/out", 10, 1)
    of_tar, of_files = rows(store, 0), rows(store, 1)
    assert [row["label"] for row in of_tar] == labels
    assert [row["label"] for row in of_files] == [*labels, None]
    assert of_tar[0]["path"] == f"{bucket}/photos/more/all.tar/0 of 5%?.png"
    assert of_files[0]["path"] == f"{bucket}/photos/0%20of%205%25%3F.png"
    assert "not a readable image" in of_files[5]["error"]
    assert main(line) == 0
    assert json.loads(capsys.readouterr().out)["shards_before"] == 2
    assert main([*line, "--max-timesteps", "2"]) == 2
    assert f"{bucket}/out holds results of another settings" in capsys.readouterr().err


@pytest.mark.slow
def test_what_a_store_refuses_is_said_before_the_work(kind: Kind, store: ObjectStore) -> None:
    nowhere = store.uri("x", bucket="nowhere")
    with pytest.raises(InputError, match="no files"):
        find_shards([nowhere], SPEC, 3)
    with pytest.raises(OutputError, match=f"the folder {kind.scheme}://nowhere/x cannot be made"):
        folder_at(nowhere)


def test_a_folder_may_be_named_by_a_uri(tmp_path: Path) -> None:
    folder_at(f"file://{tmp_path}/out").put("a.txt", b"1", "a file")
    assert (tmp_path / "out/a.txt").read_bytes() == b"1"
    assert folder_at(str(tmp_path / "out")).names() == ["a.txt"]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("s3://key:secret@bucket/a%3Fb.png?endpoint_override=http://x:1", "s3://bucket/a%3Fb.png"),
        ("gs://anonymous@bucket/a.png", "gs://bucket/a.png"),
        ("photos/what?.png", "photos/what?.png"),
    ],
)
def test_rows_name_places_without_credentials(place: str, name: str) -> None:
    assert shown(place) == name
