"""PackedLIF and PackedLIFSteps in numpy: what their bodies and kernels are compared with."""

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


def packed_lif_steps(
    x: Array,
    v: Array,
    row: Array,
    count: Array,
    *,
    decay: float,
    threshold: float,
    v_reset: float = 0.0,
    reset: str = "hard",
    spike_type: npt.DTypeLike = np.float32,
) -> tuple[Array, Array]:
    """Several timesteps of `packed_lif`, each on the potentials that the one before left.

    Args:
        x: input currents, float32 or float16 [M, *], timestep after timestep.
        v: membrane potentials before the first timestep, the type of `x` [N, *].
        row: int64 [M], where the potential of each row of `x` is: in `v` at the first timestep, in
            0..N - 1, then among the rows of the timestep before.
        count: int64 [T], rows of each timestep, M in all; at least one timestep.
        decay: what is left of the potential after a step, 1 - 1/tau.
        threshold: potential at and above which the neuron fires.
        v_reset: potential after a spike (hard reset).
        reset: `hard` or `soft`.
        spike_type: numpy dtype of the spikes.

    Returns:
        spike `spike_type` [M, *]; v_next, the type of `x`, of the last timestep's rows.

    Raises:
        OpInputError: the shapes do not fit each other, or a row is not there.
    """
    if count.ndim != 1 or not len(count) or count.min() < 0 or count.sum() != len(x):
        raise OpInputError(
            f"count {count.tolist()} must be of one timestep or more, {len(x)} rows."
        )
    if len(row) != len(x):
        raise OpInputError(f"x {x.shape} and row {row.shape} do not fit each other.")
    spikes, ends = [], np.cumsum(count)
    for first, end in zip(ends - count, ends, strict=True):
        spike, v = packed_lif(
            x[first:end], v, row[first:end], decay=decay, threshold=threshold, v_reset=v_reset,
            reset=reset, spike_type=spike_type,
        )  # fmt: skip
        spikes.append(spike)
    return np.concatenate(spikes), v
