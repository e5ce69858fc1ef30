from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.train.samples import quick_run, same_tensors, tiny_model
from train.checkpoint import load_checkpoint
from train.config import DataConfig
from train.data import Split, load_data
from train.errors import DataError
from train.loop.phase import steps as loop
from train.loop.run import resume, run

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 8, 8), np.uint8)
MODEL = tiny_model(classes=2)


def png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two of training, by their folder, and one of validation, by its name."""
    samples: list[dict[str, bytes]] = [
        {f"{number:03}.png": png(pixels), f"{number:03}.cls": str(number % 2).encode()}
        for number, pixels in enumerate(PIXELS)
    ]
    for name, part in (
        ("train/000.tar", samples[:8]),
        ("train/001.tar", samples[8:16]),
        ("toy-val-000.tar", samples[16:]),
    ):
        write(tmp_path / name, {key: value for each in part for key, value in each.items()})
    return tmp_path


def config(path: Path, **changes: Any) -> DataConfig:
    return DataConfig("webdataset", str(path), stream=True, workers=0, **changes)


def everything(part: Any) -> Split:
    (batch,) = part.batches([torch.arange(len(part))])
    return batch


def test_images_and_labels_come_out_of_all_shards(shards: Path) -> None:
    data = load_data(config(shards), MODEL, seed=0)
    assert data.classes == ("0", "1")
    for part, pixels in ((data.train, PIXELS[:16]), (data.validation, PIXELS[16:])):
        batch = everything(part)
        assert np.array_equal(batch.images[:, 0].numpy(), pixels)
        assert batch.labels.tolist() == [0, 1] * (len(pixels) // 2)


def test_classes_have_the_names_that_are_given(shards: Path) -> None:
    (shards / "classes.txt").write_text("zebra\nape\n")
    data = load_data(config(shards), MODEL, seed=0)
    assert data.classes == ("ape", "zebra")
    assert everything(data.train).labels.tolist() == [1, 0] * 8
    (shards / "classes.txt").write_text("zebra\n")
    with pytest.raises(DataError, match="label 1 has no name"):
        load_data(config(shards), MODEL, seed=0)


def test_labels_may_stand_in_json(tmp_path: Path) -> None:
    label = json.dumps({"label": 12}).encode()
    other = json.dumps({"cls": 3}).encode()
    files = {"a.png": png(PIXELS[0]), "a.json": label, "b.png": png(PIXELS[1]), "b.json": other}
    write(tmp_path / "train/0.tar", {**files, "c.png": png(PIXELS[2]), "c.cls": b"3"})
    data = load_data(config(tmp_path), MODEL, seed=0)
    assert data.classes == ("03", "12")  # in the order of their numbers


def test_a_run_goes_on_exactly_where_it_stopped(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"name": "webdataset", "path": str(shards), "stream": True, "workers": 0}
    changes: dict[str, Any] = {
        "model": {"classes": 2}, "batch_size": 4, "data": data, "halting": {"epochs": 0},
        "static": {"epochs": 2},
    }  # fmt: skip
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(quick_run(whole, **changes))
    taken = 0
    step = loop.train_step

    def counted(phase: Any, batch: Split) -> torch.Tensor:
        nonlocal taken
        taken += 1
        phase.interrupt.requested = taken == 6  # in the middle of the second epoch
        return step(phase, batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", counted)
        with pytest.raises(KeyboardInterrupt):
            run(quick_run(broken, **changes))
    resume(broken / "last.pt")
    ours, theirs = (load_checkpoint(out / "static.pt").weights for out in (broken, whole))
    assert same_tensors(ours, theirs)


def test_what_is_wrong_is_named(shards: Path, tmp_path: Path) -> None:
    first = shards / "train/000.tar"
    content = first.read_bytes()
    data = load_data(config(shards), MODEL, seed=0)
    first.write_bytes(content[:700])
    with pytest.raises(DataError, match=r"000\.tar breaks off"):
        everything(data.train)
    first.write_bytes(b"nothing" * 300)
    with pytest.raises(DataError, match=r"000\.tar breaks off, or is no plain tar"):
        load_data(config(shards), MODEL, seed=0)
    write(first, {"a.png": png(PIXELS[0])})
    with pytest.raises(DataError, match=r"1 images have no \.cls or \.json"):
        load_data(config(shards), MODEL, seed=0)
    write(first, {"a.png": b"no image", "a.cls": b"0"})
    with pytest.raises(DataError, match="is not a readable image"):
        everything(load_data(config(shards), MODEL, seed=0).train)
    for path, sentence in ((tmp_path / "none", "no folder"), (tmp_path / "empty", "no files")):
        if sentence == "no files":
            path.mkdir()
        with pytest.raises(DataError, match=sentence):
            load_data(config(path), MODEL, seed=0)
