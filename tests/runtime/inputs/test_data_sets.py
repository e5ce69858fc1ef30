"""Data sets as people have them: read at run time as they are in training."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtime.bundle import InputSpec
from runtime.errors import InputError
from runtime.inputs.check import fit_frame
from runtime.inputs.files import class_indices, decode_image, find_samples, load_sample, search
from spikehalt.datasets.preprocessing import Preprocessing
from tests.spikehalt.datasets.pictures import RAMP, saved

IMAGE = InputSpec(kind="image", height=8, width=8, channels=3)
NAMES = ["train/cat/0.png", "train/dog/more/1.tif", "val/cat/2.jp2", "valid/dog/3.png",
         "Test/cat/4.ppm"]  # fmt: skip


def make(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.dstack([RAMP] * 3)).save(root / name)
    return root


def zipped(root: Path) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.*")):
            name = file.relative_to(root)
            archive.write(file, f"wrapper/{name}")
            archive.writestr(f"__MACOSX/wrapper/{name.parent}/._{name.name}", b"\0\5\x16\7Mac OS X")
    return path


@pytest.mark.parametrize("pack", [lambda root: root, zipped])
@pytest.mark.parametrize(
    ("split", "found"),
    [
        (None, ["cat", "dog", "cat", "dog", "cat"]), ("train", ["cat", "dog"]),
        ("val", ["cat", "dog"]), ("validation", ["cat", "dog"]), ("test", ["cat"]),
        ("dog", ["dog", "dog"]),
    ],
)  # fmt: skip
def test_splits_mean_what_they_say(tmp_path: Path, pack: Any, split: str, found: list[str]) -> None:
    samples = find_samples([pack(make(tmp_path / "d", NAMES))], IMAGE, split)
    assert sorted(each.label for each in samples) == sorted(found)
    assert all(load_sample(each, IMAGE).shape == (8, 8, 3) for each in samples)


def test_names_above_the_path_are_no_split(tmp_path: Path) -> None:
    root = make(tmp_path / "test" / "train" / ".d", ["cat/0.png", "dog/1.png"])
    assert [each.label for each in find_samples([root], IMAGE)] == ["cat", "dog"]
    with pytest.raises(InputError, match="below a folder 'test'"):
        find_samples([root], IMAGE, "test")


def test_links_are_followed_and_lead_back_nowhere(tmp_path: Path) -> None:
    real, view = make(tmp_path / "real", NAMES), tmp_path / "view"
    view.mkdir()
    os.symlink(real / "train", view / "train")
    os.symlink(view, view / "self")
    assert [each.label for each in find_samples([view], IMAGE)] == ["cat", "dog"]


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    root = make(tmp_path / "d", NAMES)
    (root / "train" / "cat" / "x.psd").write_bytes(b"")
    (root / "train" / "cat" / "Thumbs.db").write_bytes(b"")
    found = search([root], IMAGE)
    assert found.notes == (f"{root}: 5 of 6 files read; skipped: 1 .psd (such as train/cat/x.psd)",)
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "x.psd").write_bytes(b"")
    with pytest.raises(InputError, match=r"no files ending in .*; .*skipped: 1 \.psd"):
        find_samples([tmp_path / "e"], IMAGE)


def test_a_file_that_is_named_is_taken_whatever_its_name(tmp_path: Path) -> None:
    make(tmp_path, [".x.png"])
    (sample,) = find_samples([tmp_path / ".x.png"], IMAGE)
    assert load_sample(sample, IMAGE).shape == (8, 8, 3)


def test_pipes_and_devices_are_listed_and_refused_by_name(tmp_path: Path) -> None:
    root = make(tmp_path / "cat", ["0.png"])
    os.mkfifo(root / "pipe.png")
    os.symlink("/dev/zero", root / "zero.png")
    samples = find_samples([root], IMAGE)
    assert [each.label for each in samples] == ["cat"] * 3
    for sample in samples[1:]:
        with pytest.raises(InputError, match=r"(pipe|zero)\.png .* not a regular file"):
            load_sample(sample, IMAGE)


def test_labels_are_matched_in_any_spelling_and_never_to_two_classes(tmp_path: Path) -> None:
    samples = find_samples([make(tmp_path, ["cafe\u0301/0.png", "10/1.png"])], IMAGE)
    assert class_indices(samples, ("9", "caf\u00e9", "10")).tolist() == [2, 1]
    with pytest.raises(InputError, match="two of the bundle's classes are called '10'"):
        class_indices(samples, ("10", "caf\u00e9", "10"))


@pytest.mark.parametrize("fit", ["resize", "crop"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_decoding_is_that_of_training(fit: Any, interpolation: Any, channels: int) -> None:
    pytest.importorskip("torch")
    from train.config import DataConfig, ModelConfig
    from train.data.images import decode_image as trained

    generator = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    files = [
        saved(generator.integers(0, 256, (20, 31, 3), np.uint8), "JPEG", exif=exif),
        saved(generator.integers(0, 256, (31, 20, 4), np.uint8)),
        saved(generator.integers(0, 65536, (8, 8), np.uint16), "TIFF"),
    ]
    data = DataConfig("folder", "x", fit=fit, interpolation=interpolation)
    spec = replace(IMAGE, channels=channels, preprocessing=data.preprocessing)
    model = ModelConfig(image_size=(8, 8), channels=channels)
    for file in files:
        ours = decode_image(file, "x", spec)
        np.testing.assert_array_equal(ours, trained(file, "x", data, model).transpose(1, 2, 0))


def test_camera_frames_are_fitted_as_files_are() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (20, 31, 3), np.uint8)
    spec = replace(IMAGE, preprocessing=Preprocessing(fit="crop", interpolation="lanczos"))
    np.testing.assert_array_equal(fit_frame(frame, spec), decode_image(saved(frame), "x", spec))
