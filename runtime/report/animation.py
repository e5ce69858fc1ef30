"""A moving picture of patches that die over an image, block by block and timestep by timestep."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.report.explanation import Explanation
from spikehalt.extras import require_extra

_SIDE, _GAP, _STRIP = 256, 16, 52  # pixels
_STEP_MS, _HOLD_MS = 450, 1800
_FADED = 0.12  # of a dead patch, over the page
_LIGHT, _DARK = ((255, 255, 255), (36, 41, 47)), ((13, 17, 23), (230, 237, 243))  # page, letters
_BAR = (21, 128, 61)


def animate(explanation: Explanation, *, dark: bool = False) -> bytes:
    """A GIF file that loops: the image, and beside it the patches that still run.

    It ends with the timestep after which the image left.

    Args:
        explanation: of one image.
        dark: for dark pages.

    Raises:
        InputError: which patch lived how long is not known.
        MissingExtraError: Pillow is not installed.
    """
    if explanation.live is None:
        raise InputError(f"patches cannot be shown: {explanation.missing}")
    require_extra("PIL", "cli", "drawing moving pictures")
    page, letters = _DARK if dark else _LIGHT
    image = _large(explanation.pixels)
    ran = explanation.live[: explanation.left_after]
    frames = [
        _frame(image, live, _told(explanation, t, block, live), page, letters)
        for t, blocks in enumerate(ran, 1)
        for block, live in enumerate(blocks, 1)
    ]
    answer = f"{explanation.answer}  {explanation.probability:.2f}"
    steps = f"after {explanation.left_after} of {explanation.settings.max_timesteps} timesteps"
    frames.append(_frame(image, ran[-1, -1], (answer, steps), page, letters))
    file = io.BytesIO()
    times = [*[_STEP_MS] * (len(frames) - 1), _HOLD_MS]
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, disposal=1
    )
    return file.getvalue()


def _told(
    explanation: Explanation, timestep: int, block: int, live: NDArray[np.int32]
) -> tuple[str, str]:
    where = f"timestep {timestep}, block {block} of {explanation.blocks}"
    return where, f"{int(live.sum())} of {live.size} patches run"


def _large(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [h, w, 3], an image each of whose pixels became a square."""
    k = max(1, _SIDE // max(pixels.shape[:2]))
    large = np.repeat(np.repeat(pixels[..., :3], k, axis=0), k, axis=1)
    return np.array(np.broadcast_to(large, (*large.shape[:2], 3)))


def _frame(
    image: NDArray[np.uint8],
    live: NDArray[np.int32],
    lines: tuple[str, str],
    page: tuple[int, int, int],
    letters: tuple[int, int, int],
) -> Any:
    """The image, the image with its dead patches faded, two lines, and the share that runs."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = image.shape[:2]
    canvas = np.full((height + _STRIP, 2 * width + _GAP, 3), page, np.uint8)
    canvas[:height, :width] = image
    rows = np.arange(height) * live.shape[0] // height
    columns = np.arange(width) * live.shape[1] // width
    share = np.where(live[rows][:, columns, None] > 0, 1.0, _FADED)
    canvas[:height, width + _GAP :] = share * image + (1 - share) * np.array(page)
    frame = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(frame), ImageFont.load_default(15)
    draw.text((0, height + 8), lines[0], fill=letters, font=font)
    draw.text((width + _GAP, height + 8), lines[1], fill=letters, font=font)
    left, top = width + _GAP, height + 34
    draw.rectangle((left, top, left + width - 1, top + 8), outline=letters)
    draw.rectangle((left, top, left + round((width - 1) * live.mean()), top + 8), fill=_BAR)
    return frame.quantize(64, dither=Image.Dither.NONE)
