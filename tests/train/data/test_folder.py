from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.train.samples import tiny_model, write_image
from train.config import DataConfig
from train.data import Known, a_few, load_data
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


def test_a_folder_without_training_images_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "test" / "cat" / "0.png", np.zeros((8, 8), np.uint8))
    (tmp_path / "test" / "cat" / "1.psd").write_bytes(b"")
    expected = r"holds no files under train/; expected train/<class>.*; .*skipped: 1 .psd"
    with pytest.raises(DataError, match=expected):
        read(tmp_path)


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_validation_part_is_validated_on_and_nothing_else(
    folder: Path, name: str, zipped: bool
) -> None:
    for label in CLASSES:
        for index in range(3):
            pixels = np.full((8, 8, 3), (200 + index, 0, 0), np.uint8)
            write_image(folder / name / label / f"{index}.png", pixels)
    data = read(Path(shutil.make_archive(str(folder), "zip", folder)) if zipped else folder)
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 6, 4)
    assert sorted(data.validation.images[:, 0, 0, 0].tolist()) == [200, 200, 201, 201, 202, 202]


def test_without_a_test_part_none_is_made_up(folder: Path) -> None:
    (folder / "test").rename(folder / "val")
    data = read(folder)
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 4, 0)
    shutil.rmtree(folder / "val")
    data = read(folder)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 0)


@pytest.mark.parametrize("above", ["train", "val", "test/cat", ".hidden", "__MACOSX"])
def test_names_above_the_path_mean_nothing(folder: Path, tmp_path: Path, above: str) -> None:
    moved = tmp_path / "elsewhere" / above / "pictures"
    moved.parent.mkdir(parents=True)
    folder.rename(moved)
    data = read(moved)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 4)


def test_linked_splits_and_classes_are_read(folder: Path, tmp_path: Path) -> None:
    plain, view = read(folder), tmp_path / "view"
    (view / "train").mkdir(parents=True)
    (view / "test").symlink_to(folder / "test")
    for name in CLASSES:
        (view / "train" / name).symlink_to(folder / "train" / name)
    (view / "train" / CLASSES[0] / "back").symlink_to(view)
    assert torch.equal(read(view).train.images, plain.train.images)


@pytest.mark.parametrize("suffix", ["tif", "ppm", "jp2", "gif", "avif", "jfif", "TIFF"])
def test_every_format_that_can_be_read_is(folder: Path, suffix: str) -> None:
    for file in folder.rglob("*/cat/*.png"):
        Image.open(file).save(file.with_suffix(f".{suffix}"))
        file.unlink()
    data = read(folder)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 4)


def test_what_is_left_out_is_counted_and_named_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train/cat/a.psd", "train/cat/b.psd", "train/stray.png", "labels.csv"):
        (folder / name).write_bytes(b"")
    read(folder)
    read(folder)
    said = capsys.readouterr().err
    assert said == (
        f"note: {folder}: 24 of 28 files read; skipped: 2 .psd, 1 .csv, 1 in no folder of a split "
        "and class (such as labels.csv)\n"
    )


def test_a_class_of_unreadable_formats_is_named_in_place_of_wrong_advice(folder: Path) -> None:
    for index in range(3):
        (folder / "train" / "emu").mkdir(exist_ok=True)
        (folder / "train" / "emu" / f"{index}.psd").write_bytes(b"")
    with pytest.raises(DataError, match=r"has 2 classes.* configured for 3") as caught:
        load_data(DataConfig("folder", str(folder)), tiny_model(channels=3, classes=3), seed=0)
    assert "emu" in str(caught.value) and "set model.classes" not in str(caught.value)


def test_classes_are_a_checkpoints_by_name(folder: Path) -> None:
    known = Known(("dog", "cat"))
    swapped = load_data(DataConfig("folder", str(folder), 0.2), model(), 0, known)
    plain = read(folder)
    assert swapped.classes == ("dog", "cat")
    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(swapped, part).labels, 1 - getattr(plain, part).labels)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (("cat", "owl"), "does not know dog, and the data lack owl; labels are matched by name"),
        (("cat", "dog", "emu"), "those of the checkpoint: the data lack emu"),
        (("cat",), "the checkpoint does not know dog"),
        (("cat", "dog", "dog"), "the checkpoint has 1 class name.* more than once, such as 'dog'"),
    ],
)
def test_classes_that_one_side_lacks_are_named(
    folder: Path, known: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_data(DataConfig("folder", str(folder)), model(), 0, Known(known))


def test_evaluation_may_have_some_of_the_classes_and_a_test_part_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / "train")
    known = Known(("10", "dog", "9", "cat"), partial=True)
    data = load_data(DataConfig("folder", str(folder)), model(), 0, known)
    assert (len(data.train), len(data.validation)) == (0, 0)
    assert data.test.labels.tolist() == [3, 3, 1, 1]
    assert "has no files of 2 class(es): 10, 9" in capsys.readouterr().err


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_with_alpha_train_networks_of_1_to_4_channels(
    tmp_path: Path, channels: int
) -> None:
    for split in ("train", "test"):
        for number in range(3):
            write_image(tmp_path / split / "a" / f"{number}.png", np.full((8, 8, 4), 7, np.uint8))
    images = load_data(
        DataConfig("folder", str(tmp_path)), tiny_model(channels=channels, classes=1), 0
    ).train.images  # type: ignore[attr-defined]
    assert images.shape == (2, channels, 8, 8) and (images == 7).all()


def test_a_few_images_are_of_every_class(folder: Path) -> None:
    data = read(folder)
    for part in (data.train, data.test):
        assert part.take(a_few(part, 2)).labels.tolist() in ([0, 1], [1, 0])
        assert len(a_few(part, 99)) == len(part)


def test_too_few_images_to_train_on_are_refused(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        write_image(tmp_path / "train" / name / "0.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match="2 training images are too few"):
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
