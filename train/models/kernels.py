"""The neurons' loops over timesteps, forward and backward, on plain tensors.

Each loop exists twice, equal in result. The functional ones say what is computed and compile into
one pass over memory. The in-place ones run eagerly, in as few passes as PyTorch's operators allow.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

VARIANTS = 64
# On GPUs PyTorch would compile a stack of timesteps into one kernel over all their elements, each
# of which iterates its neuron from the first timestep on: T times the reads and arithmetic.
ONE_PASS = {"max_pointwise_cat_inputs": 0, "max_complex_pointwise_cat_inputs": 0}


def lif_sequence(
    x: Tensor, steps: int, tau: float, threshold: float, v_reset: float | None, live: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Iterate u = v + (x - (v - v_reset)) / tau over all timesteps.

    Args:
        x: currents [T, ...], or [1, ...] for a current that is the same at every timestep.
        steps: T.
        tau: membrane time constant.
        threshold: fires where u >= threshold.
        v_reset: membrane after a spike; None subtracts the threshold.
        live: [T, B, K] for x [T, B, K, D]; an absent token does not fire and keeps its membrane.

    Returns:
        Spikes and membranes u before the reset, each [T, ...] in x's dtype.
    """
    rest = v_reset or 0.0
    v = torch.full_like(x[0], rest, dtype=torch.float32)
    spikes, membranes = [], []
    for t in range(steps):
        u = v + (x[t if x.shape[0] > 1 else 0].float() - (v - rest)) / tau
        spike = (u >= threshold).float()
        after = u - threshold * spike if v_reset is None else torch.where(spike > 0, rest, u)
        if live is not None:
            alive = live[t].unsqueeze(-1)
            spike, after = spike * alive, torch.where(alive > 0, after, v)
        v = after
        spikes.append(spike.to(x.dtype))
        membranes.append(u.to(x.dtype))
    return torch.stack(spikes), torch.stack(membranes)


def surrogate_gain(kind: str, alpha: float, distance: Tensor) -> Tensor:
    """Derivative of SpikingJelly's surrogate `kind` at `distance` = u - threshold, float32.

    Written out, so that it compiles into the loops below: SpikingJelly's own are scripted.
    """
    if kind == "sigmoid":
        s = torch.sigmoid(alpha * distance)
        return alpha * s * (1 - s)
    return alpha / 2 / (1 + (math.pi / 2 * alpha * distance) ** 2)


def lif_gradient(
    grad: Tensor,
    u: Tensor,
    tau: float,
    threshold: float,
    hard: bool,
    surrogate_kind: str,
    alpha: float,
    live: Tensor | None,
) -> Tensor:
    """Back-propagation through time with the reset detached, as SpikingJelly's detach_reset.

    Args:
        grad: gradient of the spikes [T, ...].
        u: membranes before the reset [T, ...].
        tau: membrane time constant.
        threshold: firing threshold.
        hard: hard reset (a spike cuts the path through time) or soft.
        surrogate_kind: `sigmoid` or `atan`.
        alpha: sharpness of the surrogate.
        live: as in `lif_sequence`.

    Returns:
        Gradient of the currents [T, ...].
    """
    carried = torch.zeros_like(u[0], dtype=torch.float32)
    grads: list[Tensor] = []
    for t in range(u.shape[0] - 1, -1, -1):
        distance = u[t].float() - threshold
        through = torch.where(distance >= 0, 0.0, carried) if hard else carried
        du = grad[t].float() * surrogate_gain(surrogate_kind, alpha, distance) + through
        passed = du * (1 - 1 / tau)
        if live is not None:
            alive = live[t].unsqueeze(-1)
            du, passed = du * alive, torch.where(alive > 0, passed, carried)
        carried = passed
        grads.append((du / tau).to(grad.dtype))
    return torch.stack(grads[::-1])


def rate_forward(x: Tensor, at: list[float], weight: list[float]) -> Tensor:
    """sum_j weight_j [x >= at_j]: the staircase of I-SPS, same shape and dtype as x."""
    current = x.float()
    rate = torch.zeros_like(current)
    for position, gain in zip(at, weight, strict=True):
        rate = rate + torch.where(current >= position, gain, 0.0)
    return rate.to(x.dtype)


def rate_gradient(
    grad: Tensor, x: Tensor, at: list[float], weight: list[float], kind: str, alpha: float
) -> Tensor:
    """Gradient of `rate_forward`: the surrogate derivative summed over the steps."""
    current = x.float()
    gain = torch.zeros_like(current)
    for position, step in zip(at, weight, strict=True):
        gain = gain + step * surrogate_gain(kind, alpha, current - position)
    return (grad.float() * gain).to(grad.dtype)


def lif_sequence_in_place(
    x: Tensor, steps: int, tau: float, threshold: float, v_reset: float | None, live: Tensor | None
) -> tuple[Tensor, Tensor]:
    """`lif_sequence`, written into its results: the same arithmetic in a third of the passes."""
    rest = v_reset or 0.0
    membranes = torch.empty((steps, *x.shape[1:]), dtype=torch.float32, device=x.device)
    spikes = torch.empty_like(membranes)
    v = torch.full_like(membranes[0], rest)
    for t, (u, spike) in enumerate(zip(membranes, spikes, strict=True)):
        torch.sub(x[t if x.shape[0] > 1 else 0], v - rest if rest else v, out=u)
        torch.ge(u.div_(tau).add_(v), threshold, out=spike)
        after = _after_reset(u, spike, threshold, v_reset)
        if live is not None:
            alive = live[t].unsqueeze(-1)
            spike.mul_(alive)
            after = torch.where(alive > 0, after, v)
        v = after
    return spikes.to(x.dtype), membranes.to(x.dtype)


def _after_reset(u: Tensor, spike: Tensor, threshold: float, v_reset: float | None) -> Tensor:
    """Membranes after the reset, in one pass each."""
    if v_reset is None:
        return torch.sub(u, spike, alpha=threshold)
    if v_reset:
        return torch.where(spike > 0, v_reset, u)
    return torch.addcmul(u, u, spike, value=-1)


def lif_gradient_in_place(
    grad: Tensor,
    u: Tensor,
    tau: float,
    threshold: float,
    hard: bool,
    surrogate_kind: str,
    alpha: float,
    live: Tensor | None,
) -> Tensor:
    """`lif_gradient`, written into its result."""
    out = torch.empty_like(grad)
    carried: Tensor | None = None
    for t in range(u.shape[0] - 1, -1, -1):
        distance = u[t].float() - threshold
        du = surrogate_gain(surrogate_kind, alpha, distance).mul_(grad[t])
        if carried is not None:
            du.add_(carried.masked_fill(distance >= 0, 0.0) if hard else carried)
        if live is None:
            out[t] = du / tau
            carried = du.mul_(1 - 1 / tau)
            continue
        alive = live[t].unsqueeze(-1)
        out[t] = du * (alive / tau)
        du.mul_(1 - 1 / tau)
        carried = torch.where(alive > 0, du, 0.0 if carried is None else carried)
    return out


@dataclass
class Kernels:
    """The four loops that the neurons run."""

    lif_sequence: Callable[..., tuple[Tensor, Tensor]] = lif_sequence_in_place
    lif_gradient: Callable[..., Tensor] = lif_gradient_in_place
    rate_forward: Callable[..., Tensor] = rate_forward
    rate_gradient: Callable[..., Tensor] = rate_gradient


_in_use = Kernels()


def kernels() -> Kernels:
    """The loops in use: in place, unless others were chosen."""
    return _in_use


@functools.cache
def compiled_kernels() -> Kernels:
    """The functional loops under torch.compile (needs a C++ compiler on CPU, Triton on a GPU).

    Each combination of T, precision, autocast and mask is compiled for itself. Beyond its usual
    limit of eight, PyTorch would run a loop uncompiled, which is slower than the loops in place.
    """
    import torch._inductor  # slow imports
    from torch._dynamo import config

    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    setattr(config, limit, max(getattr(config, limit), VARIANTS))  # the latter before PyTorch 2.7
    known = torch._inductor.list_options()
    options: dict[str, Any] = {name: value for name, value in ONE_PASS.items() if name in known}
    loops = (lif_sequence, lif_gradient, rate_forward, rate_gradient)
    compiled: list[Any] = [torch.compile(loop, dynamic=True, options=options) for loop in loops]
    return Kernels(*compiled)


def choose_kernels(wanted: bool | None, device: torch.device) -> Kernels:
    """The loops of a run.

    Args:
        wanted: compiled or not; None: on a GPU, whose memory decides the speed of such loops, where
            they compile.
        device: what the run computes on.
    """
    on_gpu = device.type == "cuda"
    compiled = on_gpu and compiles_on(device) if wanted is None else wanted
    return compiled_kernels() if compiled else Kernels()


def compiles_on(device: torch.device) -> bool:
    """Whether a loop compiles and runs there; logs why not."""
    try:
        compiled_kernels().lif_sequence(torch.ones(2, 8, device=device), 2, 2.0, 1.0, 0.0, None)
    except Exception as error:  # of the compiler's many, no common base class
        logger.warning(
            "the neurons' loops cannot be compiled here and run slower (%s); install Triton and a "
            "C compiler, or set compile to false",
            (str(error).strip() or type(error).__name__).splitlines()[0],
        )
        return False
    return True


@contextmanager
def use_kernels(chosen: Kernels) -> Iterator[None]:
    """Run the neurons with `chosen` inside the context."""
    global _in_use
    before, _in_use = _in_use, chosen
    try:
        yield
    finally:
        _in_use = before
