"""Inputs and token lives as small pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Manifest
from runtime.drawing import png

_HEAT = np.array([[24, 24, 60], [123, 31, 120], [229, 92, 48], [252, 252, 170]], np.float64)


@dataclass(frozen=True)
class Picture:
    """One input.

    Attributes:
        image: data URI of what the bundle saw.
        lives: data URI of how long each patch lived, None if unknown.
    """

    image: str
    lives: str | None


def make_picture(
    manifest: Manifest,
    data: NDArray[Any],
    live_masks: Sequence[NDArray[np.int32]] | None,
    timesteps: int,
) -> Picture:
    """Draw one input.

    Args:
        manifest: of the bundle.
        data: uint8 [H, W, C], or float32 [T, C, H, W] event frames.
        live_masks: per block int32 [T, K_l], or None.
        timesteps: how many ran.
    """
    pixels = pixels_of(data)
    grid = token_grid(manifest)
    if live_masks is None or grid is None:
        return Picture(png.data_uri(pixels), None)
    lives = token_lives(live_masks, timesteps).reshape(grid)
    return Picture(png.data_uri(pixels), png.data_uri(heat(lives)))


def pixels_of(data: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 [H, W, C], C 1, 3 or 4: an image as it is, or event frames [T, C, H, W] summed up."""
    return _event_pixels(data) if data.ndim == 4 else _image_pixels(data)


def missing_heat_maps(manifest: Manifest) -> str:
    """Why how long patches lived cannot be drawn, and what would change it; empty if it can."""
    if token_grid(manifest) is None:
        return "tokens merge, so a slot is not one patch of the image"
    if not manifest.live_masks:
        return (
            f"{manifest.name} was exported without live masks, so which patch lived how long is "
            "unknown: spikehalt export CHECKPOINT --live-masks"
        )
    return ""


def token_grid(manifest: Manifest) -> tuple[int, int] | None:
    """Rows and columns of the patches; None if tokens merge, for then slots are not patches."""
    if manifest.merges:
        return None
    return patch_grid(manifest)


def patch_grid(manifest: Manifest) -> tuple[int, int]:
    """Rows and columns of the patches that tokens begin as."""
    tokens, spec = manifest.tokens, manifest.input
    sizes = [rows for rows in range(1, tokens + 1) if tokens % rows == 0]
    shape = spec.height / spec.width
    rows = min(sizes, key=lambda rows: abs(np.log(rows * rows / tokens / shape)))
    return rows, tokens // rows


def token_lives(live_masks: Sequence[NDArray[np.int32]], timesteps: int) -> NDArray[np.float64]:
    """float64 [K]: share of the executed blocks and timesteps in which each token ran."""
    stacked = np.stack([mask[:timesteps] for mask in live_masks])  # [L, t, K]
    return np.asarray(stacked.mean(axis=(0, 1)), dtype=np.float64)


def heat(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3]: values of 0 to 1 from dark over red to light."""
    steps = len(_HEAT) - 1
    at = np.clip(values, 0.0, 1.0) * steps
    low = np.minimum(at.astype(int), steps - 1)
    share = (at - low)[..., None]
    return np.asarray((1 - share) * _HEAT[low] + share * _HEAT[low + 1], dtype=np.uint8)


def _image_pixels(data: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(data if data.shape[-1] in (1, 3, 4) else data[..., :1], dtype=np.uint8)


def _event_pixels(frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Events summed over time: the first polarity red, the second blue."""
    total = np.abs(frames).sum(axis=0)  # [C, H, W]
    scaled = (255 * total / max(float(total.max()), 1e-9)).astype(np.uint8)
    pixels = np.zeros((*scaled.shape[1:], 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = scaled[0], scaled[-1]
    return pixels
