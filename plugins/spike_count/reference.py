"""SpikeCount in numpy: the definition the function body and the kernel are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plugins.common.types import Array
from plugins.errors import OpInputError


def spike_count(
    x: Array,
    at: Array,
    *,
    weights: Sequence[int],
    unit: float = 1.0,
    count_type: npt.DTypeLike = np.float32,
) -> tuple[Array]:
    """Count the steps of a staircase that a current reaches (I-SPS, STAS 3.1).

    A LIF neuron under a constant current x fires `sum_s weights[s] [x >= at[s]]` times in T
    timesteps.

    Args:
        x: the current float32 [..., C], or the integer sums it is linear in, int32 [..., C].
        at: positions of the steps, ascending, the type of `x` [S, 1], or [S, C] per channel.
        weights: spikes gained at each step, S integers.
        unit: what one spike counts; 1 for uint8.
        count_type: numpy dtype of the counts, float32 or uint8.

    Returns:
        count, `count_type`, the shape of `x`.

    Raises:
        OpInputError: the arguments do not fit each other.
    """
    steps, channels = at.shape
    if x.dtype != at.dtype or steps != len(weights) or channels not in (1, *x.shape[-1:]):
        raise OpInputError(
            f"x {x.dtype} {x.shape}, at {at.dtype} {at.shape} and {len(weights)} weights do not "
            "fit each other."
        )
    count = np.zeros(x.shape, np.int64)
    for position, weight in zip(at, weights, strict=True):
        count += weight * (x >= position)
    if np.dtype(count_type) == np.uint8:
        return (count.astype(np.uint8),)
    return (count.astype(count_type) * np.array(unit, count_type),)
