"""What an engine saw and said, drawn onto the picture: label, exit, and which patches live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Manifest
from runtime.inputs.files import resize_image
from runtime.report.pictures import patch_grid, pixels_of
from runtime.results.patches import HALTED, MERGED, patch_states
from runtime.results.result import ImageResult
from spikehalt.extras import require_extra

LEAST_SIDE = 256  # pixels of an annotated picture's shorter side
_STRIP = 44  # pixels below it, for two lines
_DARKEST = 0.2  # brightness of a patch that ran in no block
_OUTLINE = (255, 196, 0)  # of a patch that merged


def enlarged_frame(manifest: Manifest, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [k·H, k·W, 3]: the part of a frame that the bundle sees, in finer pixels.

    Args:
        manifest: of the bundle.
        pixels: uint8 [h, w, 3], RGB.
    """
    from dataclasses import replace

    k, spec = _times(manifest), manifest.input
    return resize_image(pixels, replace(spec, height=k * spec.height, width=k * spec.width))


def enlarged_input(manifest: Manifest, data: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 [k·H, k·W, 3], RGB: an input of the bundle, each pixel k times as large."""
    pixels = pixels_of(data)[..., :3]
    if manifest.input.preprocessing.channel_order == "bgr" and data.ndim == 3:
        pixels = pixels[..., ::-1]
    k = _times(manifest)
    large = np.repeat(np.repeat(pixels, k, axis=0), k, axis=1)
    return np.ascontiguousarray(np.broadcast_to(large, (*large.shape[:2], 3)))


def annotate(
    manifest: Manifest, picture: NDArray[np.uint8], answer: ImageResult
) -> NDArray[np.uint8]:
    """The picture with dead patches dimmed, and label, probability, exit and tokens below it.

    A patch that ran in all blocks at the last executed timestep has its full brightness; one that
    halted is the darker, the earlier. One that merged into another token is outlined, and not
    dimmed for it: what became of that token is not followed. Without live masks, and for bundles
    that do not say which tokens merge, all patches stay as they are.

    Args:
        manifest: of the bundle.
        picture: uint8 [k·H, k·W, 3], of `enlarged_frame` or `enlarged_input`.
        answer: for it.

    Returns:
        uint8 [k·H + strip, k·W, 3], even in both directions.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    require_extra("PIL", "cli", "annotating")
    from PIL import Image, ImageDraw, ImageFont

    height, width = picture.shape[:2]
    even = (height + _STRIP + (height + _STRIP) % 2, width + width % 2)
    canvas = np.full((*even, 3), 16, np.uint8)
    states, grid = patch_states(manifest, answer), patch_grid(manifest)
    known = (
        None if states is None else states[-1].reshape(manifest.blocks, *grid)
    )  # [L, rows, cols]
    canvas[:height, :width] = picture if known is None else _dimmed(picture, known)
    image = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    steps = f"left after {answer.timesteps} of {manifest.timesteps}"
    lines = (
        f"{answer.name}  {answer.probability:.2f}",
        f"{steps}, {answer.average_tokens:.2f} tokens",
    )
    for box in [] if known is None else _boxes(known[-1] == MERGED, height, width):
        draw.rectangle(box, outline=_OUTLINE)
    for number, line in enumerate(lines):
        draw.text((6, height + 3 + 19 * number), line, fill=(240, 240, 240), font=font)
    return np.asarray(image, np.uint8)


def _dimmed(picture: NDArray[np.uint8], states: NDArray[np.int8]) -> NDArray[np.uint8]:
    blocks, rows, columns = states.shape
    depth = (states != HALTED).sum(axis=0)
    bright = _DARKEST + (1 - _DARKEST) * depth / blocks
    down = np.arange(picture.shape[0]) * rows // picture.shape[0]
    across = np.arange(picture.shape[1]) * columns // picture.shape[1]
    return np.asarray(picture * bright[down][:, across, None], dtype=np.uint8)


def _boxes(
    marked: NDArray[np.bool_], height: int, width: int
) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom pixel of each marked patch."""
    rows, columns = marked.shape
    for row, column in zip(*np.nonzero(marked), strict=True):
        top, bottom = height * row // rows, height * (row + 1) // rows - 1
        left, right = width * column // columns, width * (column + 1) // columns - 1
        yield int(left), int(top), int(right), int(bottom)


def _times(manifest: Manifest) -> int:
    spec = manifest.input
    return max(1, -(-LEAST_SIDE // min(spec.height, spec.width)))
