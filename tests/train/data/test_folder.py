from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.samples import tiny_model, write_image
from train.config import DataConfig
from train.data import load_data
from train.errors import DataError

CLASSES = ("cat", "dog")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten training and two test images of each class; every image is one colour."""
    root = tmp_path / "pictures"
    for number, name in enumerate(CLASSES):
        for index in range(12):
            split = "train" if index < 10 else "test"
            pixels = np.full((8, 8, 3), (10 * index, 100 * number, 7), np.uint8)
            write_image(root / split / name / f"{index:02}.png", pixels)
    return root


def model(**changes: object):  # type: ignore[no-untyped-def]
    return tiny_model(channels=3, classes=2, **changes)


def read(path: Path, **changes: object):  # type: ignore[no-untyped-def]
    return load_data(DataConfig("folder", str(path), 0.2), model(**changes), seed=0)


def test_images_and_labels_are_those_of_the_files(folder: Path) -> None:
    data = read(folder)
    assert data.classes == CLASSES
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 4)
    assert torch.equal(data.test.labels, torch.tensor([0, 0, 1, 1]))
    assert data.test.images[:, 0, 0, 0].tolist() == [100, 110, 100, 110]
    for split in (data.train, data.validation):
        assert torch.equal(split.images[:, 1, 4, 4], (split.labels * 100).to(torch.uint8))


def test_a_zip_reads_like_its_folder(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file, f"inside/{file.relative_to(folder)}")
    zipped, plain = read(path), read(folder)
    assert torch.equal(zipped.train.images, plain.train.images)
    assert torch.equal(zipped.test.labels, plain.test.labels)


def test_images_are_brought_to_the_models_size_and_channels(folder: Path) -> None:
    data = load_data(
        DataConfig("folder", str(folder)), tiny_model(classes=2, image_size=(4, 6)), seed=0
    )
    assert data.test.images.shape == (4, 1, 4, 6)


def test_a_missing_path_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"nothing does not exist; data.path must be a folder or zip"
    ):
        read(tmp_path / "nothing")


def test_a_folder_without_test_images_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "cat" / "0.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match=r"holds no files under test/; expected train/<class>"):
        read(tmp_path)


def test_a_test_class_without_training_images_is_refused(folder: Path) -> None:
    write_image(folder / "test" / "emu" / "0.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match="test classes emu have no training files"):
        read(folder)


def test_a_broken_image_is_named(folder: Path) -> None:
    (folder / "train" / "cat" / "03.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"train/cat/03.png is not a readable image"):
        read(folder)


def test_an_image_cut_off_in_the_middle_is_named(folder: Path) -> None:
    file = folder / "train" / "cat" / "03.png"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(DataError, match=r"train/cat/03.png is not a readable image"):
        read(folder)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(b"PK but not really")
    with pytest.raises(DataError, match="neither a folder nor a readable zip"):
        read(path)


def test_the_number_of_classes_must_be_the_models(folder: Path) -> None:
    with pytest.raises(DataError, match="has 2 classes, the model is configured for 10"):
        load_data(DataConfig("folder", str(folder)), tiny_model(channels=3), seed=0)
