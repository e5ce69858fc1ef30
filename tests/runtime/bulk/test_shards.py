"""Sources, their shards, and the files of results: on this machine, without a cluster."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Engine
from runtime.bulk import run as bulk
from runtime.bulk.answer import Answering, answer_shard
from runtime.bulk.reading import read_shard
from runtime.bulk.shards import Shard, find_shards, suffixes_of
from runtime.cli import main
from runtime.errors import InputError
from spikehalt.errors import OutputError
from tests.runtime.serve.conftest import encoded, write_toy
from tests.runtime.toy import toy_manifest

SPEC = toy_manifest().input
PIXELS = np.random.default_rng(1).integers(0, 256, (10, 4, 4, 3), np.uint8)
FILES = {f"{number}.png": encoded(each, "PNG") for number, each in enumerate(PIXELS)}
HOW = Answering({"threads": 1}, batch=4)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The same pictures in a folder, a zip, a tar and a Parquet file; and a bundle."""
    write_toy(tmp_path / "toy.bundle")
    (tmp_path / "photos").mkdir()
    for name, content in FILES.items():
        (tmp_path / "photos" / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    write_tar(tmp_path / "photos.tar")
    return tmp_path


def write_tar(path: Path) -> None:
    """As WebDataset has them: a label beside each picture."""
    with tarfile.open(path, "w") as archive:
        for name, content in FILES.items():
            for member, data in ((name, content), (name.replace("png", "cls"), b"3")):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def write_parquet(path: Path, **columns: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pip install 'spikehalt[ray]'")
    import pyarrow

    parquet.write_table(pyarrow.table(columns), path)


def contents(shards: list[Shard]) -> list[Any]:
    """The bytes of every image, or the sentence in their place."""
    images = (image for shard in shards for image in read_shard(shard, suffixes_of(SPEC)))
    return [str(each) if isinstance(each, InputError) else each for _, each in images]


@pytest.mark.parametrize(("source", "count"), [("photos", 4), ("photos.zip", 4), ("photos.tar", 1)])
def test_sources_are_parted_and_read(place: Path, source: str, count: int) -> None:
    shards = find_shards([str(place / source)], SPEC, 3)
    assert [shard.number for shard in shards] == list(range(count))
    assert contents(shards) == list(FILES.values())
    assert [Shard.from_json(each.to_json()) for each in shards] == shards


def test_parquet_files_are_read_by_rows(place: Path) -> None:
    write_parquet(place / "a.parquet", bytes=list(FILES.values()), label=[3] * 10)
    structs = [{"bytes": content, "path": name} for name, content in FILES.items()]
    write_parquet(place / "b.parquet", image=[*structs, {"bytes": None, "path": "x"}])
    for name in "ab":
        shards = find_shards([str(place / f"{name}.parquet")], SPEC, 3)
        assert contents(shards)[:10] == list(FILES.values())
    assert "holds no bytes" in contents(shards)[10]
    write_parquet(place / "c.parquet", text=["nothing"])
    assert "it has text" in contents(find_shards([str(place / "c.parquet")], SPEC, 3))[0]


def test_object_stores_are_read_by_their_uris(place: Path) -> None:
    """A store that is a folder here: Ray's readers go through the same file systems."""
    pytest.importorskip("pyarrow.fs", reason="needs pip install 'spikehalt[ray]'")
    (place / "photos/9.png").rename(place / "photos/9 of 10%.png")
    (place / "photos" / "more.tar").write_bytes((place / "photos.tar").read_bytes())
    shards = find_shards([f"file://{place}/photos"], SPEC, 100)
    assert [len(shard.names) for shard in shards] == [0, 10]
    assert contents(shards) == [*FILES.values()] * 2
    assert all(name.startswith("file:///") for name in shards[1].names)
    with pytest.raises(InputError, match="nostore"):
        find_shards(["nostore://bucket"], SPEC, 3)
    with pytest.raises(InputError, match="no files"):
        find_shards([f"file://{place}/toy.bundle"], SPEC, 3)


def test_what_cannot_be_read_is_a_row_and_stops_nothing(place: Path) -> None:
    (place / "photos/3.png").write_bytes(b"nothing")
    shards = find_shards([str(place / "photos")], SPEC, 100)
    (place / "photos/5.png").unlink()
    whole = (place / "photos.tar").read_bytes()
    (place / "photos.tar").write_bytes(whole[:3000])
    (place / "no.tar").write_bytes(b"not at all" * 99)
    shards += find_shards([str(place / "photos.tar"), str(place / "no.tar")], SPEC, 100)
    with Engine(place / "toy.bundle") as engine:
        files = [answer_shard(engine, shard, HOW).content for shard in shards]
    rows = [[json.loads(line) for line in file.splitlines()] for file in files]
    assert [row["error"] is None for row in rows[0]] == [n not in (3, 5) for n in range(10)]
    assert "not a readable image" in str(rows[0][3]["error"])
    assert "5.png" in str(rows[0][5]["error"]) and rows[0][5]["label"] is None
    assert "breaks off" in str(rows[1][-1]["error"]) and rows[1][0]["error"] is None
    assert "no tar file" in str(rows[2][0]["error"])


def run(place: Path, *more: str) -> int:
    line = ["run", "toy.bundle", "photos", "--out", "out", "--shard", "3", "--format", "jsonl"]
    return main([*line, *more])


def written(place: Path) -> list[list[dict[str, Any]]]:
    files = sorted((place / "out").glob("shard-*.jsonl"))
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in files]


def test_finished_shards_are_not_run_again(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    assert run(place) == 0
    rows = written(place)
    assert [len(each) for each in rows] == [3, 3, 3, 1]
    with Engine(place / "toy.bundle") as engine:
        expected = engine(PIXELS)
    assert [row["label"] for each in rows for row in each] == expected.labels.tolist()
    (place / "out/shard-000001.jsonl").unlink()
    ran: list[int] = []
    answer = bulk.answer_shard
    monkeypatch.setattr(
        bulk, "answer_shard", lambda e, s, how: ran.append(s.number) or answer(e, s, how)
    )
    capsys.readouterr()
    assert run(place, "--json") == 0
    assert ran == [1] and written(place) == rows
    assert json.loads(capsys.readouterr().out)["shards_before"] == 3


def test_results_of_another_plan_are_not_mixed(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    assert run(place) == 0
    assert run(place, "--max-timesteps", "2") == 2
    assert "results of another settings" in capsys.readouterr().err
    (place / "photos/new.png").write_bytes(FILES["0.png"])
    assert run(place) == 2
    assert "results of another images" in capsys.readouterr().err


def test_a_full_disk_leaves_what_is_finished(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    put = bulk.Results.write

    def full(self: Any, number: int, content: bytes) -> None:
        if number == 2:
            raise OutputError("results out/shard-000002.jsonl cannot be written: disk full")
        put(self, number, content)

    with monkeypatch.context() as patch:
        patch.setattr(bulk.Results, "write", full)
        assert run(place) == 2
    assert "disk full" in capsys.readouterr().err
    assert len(written(place)) == 2
    assert run(place) == 0 and len(written(place)) == 4


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--ray"], "--out DIR"),
        (["--out", "out", "--csv", "x.csv"], "--csv is not for --out"),
        (["film.mp4", "--out", "out"], "is a video"),
        (["missing.tar", "--out", "out"], "missing.tar does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(place)
    assert main(["run", "toy.bundle", "photos", *more]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(place.glob("out/shard*"))
