"""SpikeConv in numpy: the definition the function bodies and the kernels are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError


def spike_conv(x: Array, weight: Array, bias: Array) -> tuple[Array]:
    """A 3 x 3 convolution, channels last, zero outside the image.

    Args:
        x: spikes, small integers or multiples of a unit, float32 [B, H, W, C].
        weight: float32 [9 C, O], by row, column and channel of the neighbourhood.
        bias: float32 [O].

    Returns:
        current, float32 [B, H, W, O].

    Raises:
        OpInputError: the arguments do not fit each other.
    """
    if bias.shape != weight.shape[1:]:
        raise OpInputError(f"weight {weight.shape} and bias {bias.shape} do not fit each other.")
    return (_convolved(x, weight) + bias,)


def spike_conv_integer(x: Array, weight: Array) -> tuple[Array]:
    """The exact sums of a 3 x 3 convolution of bytes, channels last, zero outside the image.

    Args:
        x: uint8 [B, H, W, C].
        weight: int8 [9 C, O], by row, column and channel of the neighbourhood.

    Returns:
        sums, int32 [B, H, W, O].

    Raises:
        OpInputError: the arguments do not fit each other.
    """
    return (_convolved(x.astype(np.int32), weight.astype(np.int32)),)


def _convolved(x: Array, weight: Array) -> Array:
    if x.ndim != 4 or weight.ndim != 2 or weight.shape[0] != 9 * x.shape[3]:
        raise OpInputError(
            f"x {x.shape} and weight {weight.shape} must be [B, H, W, C] and [9 C, O]."
        )
    height, width, channels = x.shape[1:]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    total = np.zeros((*x.shape[:3], weight.shape[1]), x.dtype)
    for tap in range(9):
        row, column = divmod(tap, 3)
        part = padded[:, row : row + height, column : column + width]
        total += part @ weight[tap * channels : (tap + 1) * channels]
    return np.asarray(total)
