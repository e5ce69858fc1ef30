from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.pixels import decode_image, fit_pixels
from spikehalt.datasets.preprocessing import Preprocessing
from tests.spikehalt.datasets.pictures import RAMP, saved, white_is_zero

DEEP = RAMP.astype(np.uint16) * 257  # the same greys in 16 bits
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def decode(
    data: bytes, channels: int = 3, size: tuple[int, int] = (32, 32), **how: Any
) -> np.ndarray:
    return decode_image(data, "x.png", size, channels, Preprocessing(**how))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "data",
    [
        saved(DEEP, "PNG"),
        saved(DEEP, "TIFF"),
        saved(DEEP, "TIFF", compression="tiff_lzw"),
        saved(DEEP, "PPM"),
        saved(DEEP, "JPEG2000"),
        saved(DEEP.astype(">u2"), "TIFF"),
        white_is_zero(65535 - DEEP),
        b"P5 32 32 1023\n" + (RAMP.astype(np.uint32) * 1023 // 255).astype(">u2").tobytes(),
    ],
)
def test_greys_of_more_than_8_bits_are_scaled_by_their_range(data: bytes, channels: int) -> None:
    pixels = decode(data, channels)
    assert pixels.shape == (32, 32, channels)
    assert np.abs(pixels[..., 0].astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize(
    ("pixels", "kind"),
    [
        (RAMP.astype(np.float32) / 255, "floating-point"),
        (RAMP.astype(np.int32) * 257, "32-bit or signed"),
    ],
)
def test_pixels_without_a_range_are_refused_by_name(pixels: np.ndarray, kind: str) -> None:
    with pytest.raises(DataFileError, match=rf"x\.png holds {kind} pixels, whose range"):
        decode(saved(pixels, "TIFF"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_photos_stand_upright_unless_told_otherwise(kind: str, orientation: int) -> None:
    upright = np.zeros((32, 32, 3), np.uint8)
    upright[:16], upright[:16, :16, 2] = 255, 0  # bright above, one corner yellow
    stored = Image.fromarray(upright).transpose(TURNS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, kind, exif=exif, **({"quality": 95} if kind in ("JPEG", "WEBP") else {}))

    def close(pixels: np.ndarray, wanted: Any) -> bool:
        inner = np.s_[4:12, 4:12], np.s_[4:12, 20:28], np.s_[20:28, 4:12]
        return all(np.abs(pixels[at].mean((0, 1)) - np.asarray(wanted)[at].mean((0, 1))).max() < 24
                   for at in inner)  # fmt: skip

    assert close(decode(data), upright)
    assert close(decode(data, orientation="stored"), stored)


def test_a_photo_with_damaged_exif_keeps_its_pixels() -> None:
    data = saved(np.dstack([RAMP] * 3), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert np.abs(decode(data)[..., 0].astype(int) - RAMP).max() < 16


GREY = Image.fromarray(RAMP)
OTHERS = [Image.new("L", GREY.size, value) for value in (255, 0)]  # later pictures of a file
TO_LAB = ImageCms.buildTransform(
    ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
)
FILES = {
    "bits": saved(GREY.convert("1", dither=Image.Dither.NONE)),
    "grey": saved(GREY),
    "grey and alpha": saved(GREY.convert("LA")),
    "palette": saved(GREY.quantize(64)),
    "palette of a GIF": saved(GREY, "GIF"),
    "colours": saved(GREY.convert("RGB"), "BMP"),
    "colours and alpha": saved(GREY.convert("RGBA"), "WEBP", lossless=True),
    "inks": saved(GREY.convert("RGB").convert("CMYK"), "TIFF"),
    "inks of a JPEG": saved(GREY.convert("RGB").convert("CMYK"), "JPEG", quality=100),
    "brightness": saved(GREY.convert("RGB").convert("YCbCr"), "TIFF"),
    "lightness": saved(
        ImageCms.applyTransform(GREY.convert("RGB"), TO_LAB),  # as prepress programs write it
        "TIFF",
    ),
    "bits of a TIFF": saved(GREY.convert("1", dither=Image.Dither.NONE), "TIFF"),
    "the first of a GIF": saved(GREY, "GIF", save_all=True, append_images=OTHERS),
    "the first of a PNG": saved(GREY, "PNG", save_all=True, append_images=OTHERS),
    "the first of a WebP": saved(
        GREY.convert("RGB"), "WEBP", save_all=True, append_images=OTHERS, lossless=True
    ),
    "the first of a TIFF": saved(GREY, "TIFF", save_all=True, append_images=OTHERS),
    "the default of a PNG": saved(
        GREY, "PNG", save_all=True, append_images=OTHERS, default_image=True
    ),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_every_kind_become_1_to_4_channels(kind: str, channels: int) -> None:
    pixels = decode(FILES[kind], channels)
    wanted = np.where(RAMP >= 128, 255, 0) if "bits" in kind else RAMP.astype(int)
    assert pixels.shape == (32, 32, channels)
    assert np.abs(pixels[..., 0] - wanted).max() <= 3
    if channels in (2, 4):
        assert (pixels[..., -1] == 255).all()


def test_alpha_is_kept_where_it_is_asked_for_and_dropped_where_not() -> None:
    clear = np.dstack([RAMP] * 3 + [255 - RAMP])
    assert np.array_equal(decode(saved(clear), 4)[..., 3], 255 - RAMP)
    assert np.array_equal(decode(saved(clear), 2)[..., 1], 255 - RAMP)
    assert np.array_equal(decode(saved(clear), 3)[..., 0], RAMP)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_palettes_with_transparency_are_read_without_a_warning(channels: int) -> None:
    image = Image.fromarray(RAMP).convert("P")
    data = saved(image, transparency=bytes([0, *[255] * 255]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = decode(data, channels)
    if channels in (2, 4):
        assert (pixels[..., -1] == 0).sum() == 32  # the first palette entry is clear


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PCX", "ICO"])
def test_other_formats_are_refused_whatever_the_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow would start the program `gs` on EPS."""
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DataFileError, match=r"x\.png is not a readable image"):
        decode(saved(Image.new("RGB", (40, 40), "red"), kind))
    assert not (tmp_path / "started").exists()


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    data = b"P5 60000 60000 255\n"
    with pytest.raises(DataFileError, match=r"60000 × 60000 pixels, too many|bomb"):
        decode(data)


def test_five_channels_are_no_image_file() -> None:
    with pytest.raises(DataFileError, match="cannot have 5 channels, but 1 to 4"):
        decode(saved(RAMP), 5)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_the_filter_is_pillows_of_that_name(interpolation: str) -> None:
    small = Image.fromarray(RAMP).resize((10, 12), Image.Resampling[interpolation.upper()])
    found = decode(saved(RAMP), 1, (12, 10), interpolation=interpolation)
    assert np.array_equal(found[..., 0], np.asarray(small))


def test_a_share_of_the_crop_is_scaled_to_the_whole() -> None:
    pixels = np.zeros((32, 64), np.uint8)
    pixels[8:24, 24:40] = 200  # half of the middle square's sides
    whole = decode(saved(pixels), 1, (8, 8), fit="crop")
    half = decode(saved(pixels), 1, (8, 8), fit="crop", crop_share=0.5, interpolation="nearest")
    assert (half == 200).all() and whole.min() == 0


@pytest.mark.parametrize(("high", "wide"), [(80, 64), (64, 91), (33, 33)])
@pytest.mark.parametrize(("share", "side"), [(0.875, 32), (0.95, 29), (1.0, 28)])
def test_two_steps_resize_the_shorter_side_and_cut_whole_pixels(
    high: int, wide: int, share: float, side: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (high, wide), np.uint8)
    length = side * max(high, wide) // min(high, wide)
    size = (length, side) if wide > high else (side, length)
    scaled = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    top, left = (round((have - 28) / 2) for have in scaled.shape)
    found = decode(saved(pixels), 1, (28, 28), fit="resize_crop", crop_share=share,
                   interpolation="bicubic")  # fmt: skip
    assert np.array_equal(found[..., 0], scaled[top : top + 28, left : left + 28])


def test_colours_come_in_opencvs_order_if_asked_for() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[...] = (1, 2, 3, 4)
    assert decode(saved(pixels), 4, (4, 4), channel_order="bgr")[0, 0].tolist() == [3, 2, 1, 4]
    assert decode(saved(pixels), 3, (4, 4), channel_order="bgr")[0, 0].tolist() == [3, 2, 1]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_arrays_are_fitted_as_files_are(channels: int) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (20, 30, channels), np.uint8)
    how = Preprocessing(fit="crop", interpolation="bicubic")
    found = fit_pixels(pixels, (8, 8), how)
    assert found.shape == (8, 8, channels)
    if channels <= 4:
        image = pixels[..., 0] if channels == 1 else pixels
        assert np.array_equal(found.squeeze(), decode_image(
            saved(image), "x", (8, 8), channels, how).squeeze())  # fmt: skip
