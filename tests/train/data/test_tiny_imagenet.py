from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.train.samples import tiny_model, write_image
from train.config import DataConfig
from train.data import load_data
from train.errors import DataError

CLASSES = ("n01", "n02")


@pytest.fixture
def original(tmp_path: Path) -> Path:
    root = tmp_path / "tiny-imagenet-200"
    lines = []
    for number, name in enumerate(CLASSES):
        for index in range(5):
            level = 50 * number + index
            pixels = np.full((8, 8, 3), level, np.uint8)
            write_image(root / "train" / name / "images" / f"{name}_{index}.png", pixels)
        write_image(
            root / "val" / "images" / f"val_{number}.png",
            np.full((8, 8, 3), 200 + number, np.uint8),
        )
        lines.append(f"val_{number}.png\t{CLASSES[1 - number]}\t0\t0\t7\t7")
    write_image(root / "test" / "images" / "test_0.png", np.zeros((8, 8, 3), np.uint8))
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    return root


def test_validation_images_are_labelled_by_the_annotations(original: Path, tmp_path: Path) -> None:
    zipped = Path(shutil.make_archive(str(tmp_path / "tiny"), "zip", tmp_path, original.name))
    for path in (original, zipped):
        model = tiny_model(channels=3, classes=2)
        data = load_data(DataConfig("tiny-imagenet", str(path), 0.2), model, seed=0)
        assert data.classes == CLASSES and (len(data.train), len(data.test)) == (8, 2)
        assert data.test.labels.tolist() == [1, 0]
        assert data.test.images[:, 0, 0, 0].tolist() == [200, 201]  # type: ignore[attr-defined]


def test_another_layout_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "cat" / "0.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match=r"holds no val_annotations.txt; expected tiny-imagenet"):
        load_data(DataConfig("tiny-imagenet", str(tmp_path)), tiny_model(), seed=0)
