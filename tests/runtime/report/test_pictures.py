from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from runtime.bundle import InputSpec
from runtime.drawing import png
from runtime.report.pictures import heat, make_picture, token_grid, token_lives
from tests.runtime.toy import toy_manifest


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (40, 70)])
def test_pngs_hold_the_pixels(channels: int, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, channels), np.uint8)

    decoded = np.asarray(Image.open(io.BytesIO(png.encode(pixels)))).reshape(pixels.shape)

    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize(
    ("height", "width", "tokens", "grid"),
    [(4, 4, 4, (2, 2)), (32, 32, 64, (8, 8)), (16, 64, 64, (4, 16)), (224, 224, 196, (14, 14))],
)
def test_the_grid_of_patches_follows_the_images_shape(
    height: int, width: int, tokens: int, grid: tuple[int, int]
) -> None:
    spec = InputSpec(kind="image", height=height, width=width, channels=3)
    manifest = toy_manifest(input=spec, tokens=tokens, tokens_per_block=(tokens, tokens))

    assert token_grid(manifest) == grid


def test_merged_tokens_are_no_patches() -> None:
    assert token_grid(toy_manifest(tokens_per_block=(4, 3))) is None


def test_lives_are_shares_of_what_ran() -> None:
    block1 = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]], np.int32)
    block2 = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], np.int32)

    np.testing.assert_allclose(token_lives([block1, block2], 2), [1.0, 0.75, 0.5, 0.5])


def test_heat_grows_brighter() -> None:
    brightness = heat(np.linspace(0, 1, 20)).astype(float).sum(axis=1)

    assert (np.diff(brightness) > 0).all()


def test_pictures_of_events_show_both_polarities() -> None:
    frames = np.zeros((4, 2, 4, 4), np.float32)
    frames[:, 0, 0, 0], frames[:, 1, 3, 3] = 1.0, 1.0

    picture = make_picture(toy_manifest(kind="frames"), frames, None, 4)

    assert picture.image.startswith("data:image/png;base64,") and picture.lives is None
