from __future__ import annotations

import io
import os
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtime.bundle import InputSpec
from runtime.errors import InputError
from runtime.inputs.files import (
    batches,
    class_indices,
    decode_frames,
    decode_image,
    find_samples,
    load_sample,
    spread,
)
from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.errors import MissingExtraError

IMAGE = InputSpec(kind="image", height=4, width=6, channels=3)
FRAMES = InputSpec(kind="frames", height=4, width=6, channels=2, timesteps=3)
PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, label, name in [("train", "owl", "b.png"), ("test", "cat", "a.PNG")]:
        place = tmp_path / "data" / split / label
        place.mkdir(parents=True)
        (place / name).write_bytes(png(PIXELS))
        (place / "notes.txt").write_text("no image")
    return tmp_path / "data"


def test_an_image_of_the_right_size_keeps_its_pixels() -> None:
    np.testing.assert_array_equal(decode_image(png(PIXELS), "x", IMAGE), PIXELS)


def test_grey_and_transparent_images_are_converted() -> None:
    for pixels in (PIXELS[..., 0], np.dstack([PIXELS, PIXELS[..., :1]])):
        assert decode_image(png(pixels), "x", IMAGE).shape == (4, 6, 3)
    grey = InputSpec(kind="image", height=4, width=6, channels=1)
    assert decode_image(png(PIXELS), "x", grey).shape == (4, 6, 1)


def test_crop_keeps_the_aspect_and_resize_does_not() -> None:
    wide = np.zeros((4, 30, 3), np.uint8)
    wide[:, 12:18] = 200  # the centre, of the bundle's size

    cropped = replace(IMAGE, preprocessing=Preprocessing(fit="crop"))
    assert (decode_image(png(wide), "x", cropped) == 200).all()
    assert decode_image(png(wide), "x", IMAGE).min() == 0


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, png(PIXELS)[:48]]
)
def test_damaged_images_are_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"x\.png is not a readable image"):
        decode_image(data, "x.png", IMAGE)


def test_an_image_with_absurdly_many_pixels_is_refused() -> None:
    header = b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + (60000).to_bytes(4, "little") * 2
    bomb = header + b"\x01\0\x18\0" + bytes(24)

    with pytest.raises(InputError, match="bomb"):
        decode_image(bomb, "bomb", IMAGE)


def test_a_folder_is_searched_and_labelled_by_its_subfolders(folder: Path) -> None:
    samples = find_samples([folder], IMAGE)

    assert [(sample.file.name, sample.label) for sample in samples] == [
        ("a.PNG", "cat"),
        ("b.png", "owl"),
    ]
    np.testing.assert_array_equal(class_indices(samples, ("owl", "cat")), [1, 0])
    assert [each.label for each in find_samples([folder], IMAGE, split="train")] == ["owl"]


@pytest.mark.parametrize(("most", "wanted"), [(1, [0]), (3, [0, 4, 9]), (10, 10), (99, 10)])
def test_fewer_samples_are_spread_over_all(
    tmp_path: Path, most: int, wanted: list[int] | int
) -> None:
    for number in range(10):
        (tmp_path / f"{number}.png").write_bytes(png(PIXELS))
    names = [Path(each.name).stem for each in spread(find_samples([tmp_path], IMAGE), most)]

    assert names == [str(n) for n in (range(wanted) if isinstance(wanted, int) else wanted)]


def test_a_zip_is_searched_like_a_folder(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder))

    samples = find_samples([tmp_path / "data.zip"], IMAGE, split="test")

    assert [sample.label for sample in samples] == ["cat"]
    np.testing.assert_array_equal(load_sample(samples[0], IMAGE), PIXELS)


def test_a_zips_directory_is_read_once_and_again_when_it_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = tmp_path / "data.zip", []

    class Counted(zipfile.ZipFile):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            opened.append(arguments)
            super().__init__(*arguments, **options)

    def write(color: int) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(3):
                archive.writestr(f"cat/{number}.png", png(np.full_like(PIXELS, color)))

    write(10)
    samples = find_samples([path], IMAGE)
    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    first = [load_sample(each, IMAGE) for each in samples]
    assert not opened  # finding them has opened it

    monkeypatch.undo()
    write(200)
    os.utime(path, ns=(1, 1))
    again = [load_sample(each, IMAGE) for each in samples]
    assert not np.array_equal(first, again)


def test_batches_keep_the_order(folder: Path) -> None:
    samples = find_samples([folder], IMAGE) * 3

    parts = list(batches(samples, IMAGE, 4))

    assert [len(images) for _, images in parts] == [4, 2]
    assert [sample for part, _ in parts for sample in part] == samples


def test_folders_that_are_no_classes_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match="such as 'cat'; its classes are owl"):
        class_indices(find_samples([folder], IMAGE), ("owl",))


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing", "does not exist"), ("empty", r"no files ending in .*\.png"), ("x.zip", "zip")],
)
def test_places_without_images_are_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.zip").write_bytes(b"PK no")

    with pytest.raises(InputError, match=message):
        find_samples([tmp_path / name], IMAGE)


def test_a_file_that_disappears_is_named(folder: Path) -> None:
    sample = find_samples([folder], IMAGE)[0]
    sample.file.unlink()

    with pytest.raises(InputError, match="cannot be read"):
        load_sample(sample, IMAGE)


def test_event_frames_of_any_number_type_become_float32() -> None:
    frames = np.arange(3 * 2 * 4 * 6, dtype=np.uint8).reshape(3, 2, 4, 6)

    decoded = decode_frames(npz(frames=frames), "x", FRAMES)

    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, frames)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no", "not a readable .npz file"),
        (npz(other=np.zeros(3)), r"holds \['other'\], must hold an array called 'frames'"),
        (npz(frames=np.zeros((3, 2, 4, 6), complex)), "complex128"),
        (npz(frames=np.zeros((2, 2, 4, 6))), r"float64 \[2, 2, 4, 6\], the bundle takes"),
        (npz(frames=np.zeros((3, 2, 4, 6), "S3")), "the bundle takes float32"),
        (
            npz(frames=np.zeros((300, 2, 4, 6))),
            r"float64 \[300, 2, 4, 6\], has more than 5248 bytes",
        ),
    ],
)
def test_other_files_are_not_frames(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_frames(data, "x.npz", FRAMES)


def test_frames_are_not_unpickled() -> None:
    data = io.BytesIO()
    np.savez(data, allow_pickle=True, frames=np.array([print], object))

    with pytest.raises(InputError, match=r"not a readable \.npz file"):
        decode_frames(data.getvalue(), "x.npz", FRAMES)


def test_without_pillow_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(PIXELS)
    monkeypatch.setitem(sys.modules, "PIL", None)

    with pytest.raises(MissingExtraError, match=r"needs PIL.*: pip install .*\[cli\]"):
        decode_image(data, "x", IMAGE)
