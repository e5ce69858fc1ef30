"""SpikeLinear in numpy: the definition the function bodies and the kernels are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError


def spike_linear(x: Array, weight: Array, bias: Array) -> tuple[Array]:
    """A linear layer, `x W + b`.

    Args:
        x: spikes, small integers or multiples of a unit, float32 [M, I].
        weight: float32 [I, O].
        bias: float32 [O].

    Returns:
        current, float32 [M, O].

    Raises:
        OpInputError: the arguments do not fit each other.
    """
    _check(x, weight, bias)
    return (x @ weight + bias,)


def spike_linear_integer(x: Array, weight: Array, scale: Array, bias: Array) -> tuple[Array]:
    """A linear layer on bytes, `s (x W) + b` with exact integer sums.

    Args:
        x: uint8 [M, I].
        weight: int8 [I, O].
        scale: float32 [O].
        bias: float32 [O].

    Returns:
        current, float32 [M, O], rounded after the product with `scale` and after the sum.

    Raises:
        OpInputError: the arguments do not fit each other.
    """
    _check(x, weight, scale, bias)
    sums = x.astype(np.int32) @ weight.astype(np.int32)
    return (sums.astype(np.float32) * scale + bias,)


def _check(x: Array, weight: Array, *of_outputs: Array) -> None:
    """Raise `ValueError` unless the shapes are [M, I], [I, O] and [O]."""
    fits = x.ndim == weight.ndim == 2 and x.shape[1] == weight.shape[0]
    if not fits or any(each.shape != weight.shape[1:] for each in of_outputs):
        others = ", ".join(str(each.shape) for each in of_outputs)
        raise OpInputError(
            f"x {x.shape}, weight {weight.shape} and {others} do not fit each other."
        )
