from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.samples import tiny_model, write_image
from train.config import DataConfig
from train.data import load_data
from train.data.files import Reader
from train.data.once import ReadOnce


def test_the_files_taken_are_read_once_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(6):
        pixels = np.full((8, 8), index, np.uint8)
        write_image(tmp_path / "test" / "abc"[index % 3] / f"{index}.png", pixels)
        write_image(tmp_path / "train" / "abc"[index % 3] / f"{index}.png", pixels)
    config = DataConfig("folder", str(tmp_path), 0.25, stream=True, workers=0)
    read: list[str] = []
    plain = Reader.read

    def noted(self: Reader, name: str) -> bytes:
        read.append(name)
        return plain(self, name)

    monkeypatch.setattr(Reader, "read", noted)
    images = ReadOnce(load_data(config, tiny_model(classes=3), 0).test).take(torch.tensor([0, 5]))
    assert len(images) == 2 and read == []
    for _ in range(2):
        (batch,) = (
            images.to(torch.device("cpu")).take(torch.tensor([1])).batches([torch.tensor([0])])
        )
        assert batch.images.unique().tolist() == [5] and batch.labels.tolist() == [2]
    read.clear()
    passes = [list(images.batches([torch.tensor([1]), torch.tensor([0])])) for _ in range(2)]
    assert [[b.labels.item() for b in each] for each in passes] == [[2, 0]] * 2
    assert read == ["test/a/0.png", "test/c/5.png"]
