"""LIF in numpy: the definition the function body and the kernel are compared with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plugins.common.types import Array
from plugins.errors import OpInputError


def lif(
    x: Array,
    v: Array,
    *,
    decay: float,
    threshold: float,
    v_reset: float = 0.0,
    reset: str = "hard",
    spike_type: npt.DTypeLike = np.float32,
    steps: int = 1,
) -> tuple[Array, Array]:
    """Leaky integrate and fire, computed in float32 whatever the type of `x`.

    Per element and step: `u = decay * v + x`, `s = [u >= threshold]`, then
    `v' = v_reset if s else u` (hard) or `v' = u - threshold * s` (soft): SpikingJelly's `LIFNode`
    after 1/tau is folded into the weights.

    Args:
        x: input current, float32 or float16 [*], or [steps, *] when `steps` > 1.
        v: membrane potential before the first step, the type of `x`; [*], or [1] for one value
            that all elements start with.
        decay: what is left of the potential after a step, 1 - 1/tau.
        threshold: potential at and above which the neuron fires.
        v_reset: potential after a spike (hard reset).
        reset: `hard` or `soft`.
        spike_type: numpy dtype of the spikes.
        steps: timesteps in the leading axis of `x`; 1 means that there is no such axis.

    Returns:
        spike `spike_type`, the shape of `x`; v_next, the type of `x` [*].

    Raises:
        OpInputError: `x` and `v` do not fit each other, or `reset` or `steps` is out of range.
    """
    _check(x, v, reset, steps)
    currents = x if steps > 1 else x[None]
    potential = np.broadcast_to(v, currents.shape[1:]).astype(np.float32)
    spikes = np.empty(currents.shape, dtype=spike_type)
    for step, current in enumerate(currents):
        u = np.float32(decay) * potential + current.astype(np.float32)
        fired = u >= np.float32(threshold)
        after = np.float32(v_reset) if reset == "hard" else u - np.float32(threshold)
        potential = np.where(fired, after, u)
        spikes[step] = fired
    return spikes.reshape(x.shape), potential.astype(x.dtype)


def _check(x: Array, v: Array, reset: str, steps: int) -> None:
    """Raise ValueError where the arguments do not fit each other."""
    if reset not in ("hard", "soft"):
        raise OpInputError(f"reset must be 'hard' or 'soft', got {reset!r}.")
    if steps < 1 or (steps > 1 and (x.ndim == 0 or x.shape[0] != steps)):
        raise OpInputError(f"steps={steps} does not fit x of shape {x.shape}.")
    one_step = x.shape[1:] if steps > 1 else x.shape
    if v.shape not in (one_step, (1,)):
        raise OpInputError(f"v must have shape {one_step} or (1,), got {v.shape}.")
