"""Patches in numpy: the definition the function body and the kernel are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError


def patches(x: Array) -> tuple[Array]:
    """The 3 x 3 neighbourhood of every pixel, side by side.

    Args:
        x: channels last, uint8 [B, H, W, C].

    Returns:
        neighbours, uint8 [B, H, W, 9 C]: row by row, column by column, zero outside the image.

    Raises:
        OpInputError: x has no four axes.
    """
    if x.ndim != 4:
        raise OpInputError(f"x must have shape [B, H, W, C], got {x.shape}.")
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [
        padded[:, row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]
    return (np.concatenate(shifts, axis=3),)
