"""PackedLIF in numpy: the definition the function body and the kernel are compared with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plugins.common.types import Array
from plugins.errors import OpInputError
from plugins.lif.reference import lif


def packed_lif(
    x: Array,
    v: Array,
    row: Array,
    *,
    decay: float,
    threshold: float,
    v_reset: float = 0.0,
    reset: str = "hard",
    spike_type: npt.DTypeLike = np.float32,
) -> tuple[Array, Array]:
    """One timestep of `plugins.lif.reference.lif` with v[row] in place of v.

    Args:
        x: input current, float32 or float16 [M, *].
        v: membrane potentials of the timestep before, the type of `x` [N, *].
        row: int64 [M], where in `v` the potential of each row of `x` is, in 0..N - 1.
        decay: what is left of the potential after a step, 1 - 1/tau.
        threshold: potential at and above which the neuron fires.
        v_reset: potential after a spike (hard reset).
        reset: `hard` or `soft`.
        spike_type: numpy dtype of the spikes.

    Returns:
        spike `spike_type` [M, *]; v_next, the type of `x` [M, *].

    Raises:
        OpInputError: the shapes do not fit each other, or a row is not in `v`.
    """
    if x.ndim < 1 or v.shape[1:] != x.shape[1:] or row.shape != x.shape[:1]:
        raise OpInputError(f"x {x.shape}, v {v.shape} and row {row.shape} do not fit each other.")
    if row.size and not (row.min() >= 0 and row.max() < len(v)):
        raise OpInputError(f"a row is outside 0..{len(v) - 1}.")
    return lif(
        x, v[row], decay=decay, threshold=threshold, v_reset=v_reset, reset=reset,
        spike_type=spike_type,
    )  # fmt: skip
