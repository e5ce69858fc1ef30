from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.samples import quick_run, same_tensors, tiny_model, write_image
from train.checkpoint import load_checkpoint
from train.config import DataConfig
from train.data import load_data
from train.errors import DataError
from train.loop.run import run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for index in range(16):
            pixels = generator.integers(0, 256, (8, 8), np.uint8)
            write_image(root / ("train" if index < 12 else "val") / name / f"{index}.png", pixels)
    return root


def config(path: Path, workers: int) -> DataConfig:
    return DataConfig("folder", str(path), 0.25, stream=True, workers=workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_batches_are_those_of_the_resident_set(pictures: Path, workers: int) -> None:
    model = tiny_model(classes=2)
    streamed = load_data(config(pictures, workers), model, seed=0)
    resident = load_data(replace(config(pictures, 0), stream=False), model, seed=0)
    assert streamed.classes == resident.classes
    rows = [torch.tensor([3, 0, 5]), torch.tensor([7]), torch.tensor([1, 2])]
    state = torch.get_rng_state()
    for ours, theirs in zip(
        streamed.train.batches(rows), resident.train.batches(rows), strict=True
    ):
        assert torch.equal(ours.images, theirs.images) and torch.equal(ours.labels, theirs.labels)
    assert torch.equal(
        torch.get_rng_state(), state
    )  # reading draws nothing that a resume would miss
    assert torch.equal(streamed.validation.labels, resident.validation.labels)


def test_training_on_a_stream_equals_training_on_the_resident_set(
    pictures: Path, tmp_path: Path
) -> None:
    weights = []
    for stream in (True, False):
        out = tmp_path / str(stream)
        data = {"name": "folder", "path": str(pictures), "stream": stream, "workers": 0}
        changes = {"model": {"classes": 2}, "batch_size": 6, "data": data, "halting": {"epochs": 0}}
        run(quick_run(out, **changes))
        weights.append(load_checkpoint(out / "static.pt").weights)
    assert same_tensors(*weights)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_file_is_named_alike_whoever_reads_it(
    pictures: Path, tmp_path: Path, workers: int
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(pictures, root)
    (root / "train" / "cat" / "3.png").write_bytes(b"no picture")
    (root / "val" / "cat" / "13.png").unlink()
    os.mkfifo(root / "val" / "cat" / "13.png")
    data = load_data(config(root, workers), tiny_model(classes=2), seed=0)
    problems = (r"3\.png is not a readable image", r"13\.png .* it is not a regular file")
    for part, problem in zip((data.train, data.validation), problems, strict=True):
        with pytest.raises(DataError, match=rf"^\S*cat/{problem}.*$") as caught:
            list(part.batches([torch.arange(len(part))]))
        assert "\n" not in str(caught.value)


def test_pictures_of_another_shape_are_stretched_or_cropped(tmp_path: Path) -> None:
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = 255
    for split in ("train", "test"):
        for index in range(3):
            write_image(tmp_path / split / "cat" / f"{index}.png", wide)
    for fit, mean in (("resize", 85), ("crop", 255)):
        data = DataConfig("folder", str(tmp_path), fit=fit)  # type: ignore[arg-type]
        images = load_data(data, tiny_model(classes=1), seed=0).test.images  # type: ignore[attr-defined]
        assert float(images.float().mean()) == pytest.approx(mean, abs=1)


def test_sets_that_fit_are_not_streamed() -> None:
    with pytest.raises(ConfigError, match="'digits' cannot be streamed; folder, events"):
        DataConfig("digits", stream=True)
