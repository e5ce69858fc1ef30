"""Spike count of a LIF neuron under a constant current, as a staircase of that current.

I-SPS (STAS 3.1) iterates each LIF T times on one constant current x and keeps the spike count. The
membrane's rise is monotone in x, so the count is a sum of steps:

    count(x) = sum_j weight_j [x >= at_j]

The positions are found by bisecting the float32 iteration itself, so that staircase and loop agree
on every float32 current, rounding included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikehalt.errors import ConfigError

Count = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Staircase:
    """count(x) = sum of `weight` over the steps with x >= `at`.

    Attributes:
        at: step positions, ascending float32 currents.
        weight: spikes gained at each step.
        timesteps: T, the iterations counted.
    """

    at: tuple[float, ...]
    weight: tuple[int, ...]
    timesteps: int


def lif_counts(tau: float, threshold: float, v_reset: float | None, timesteps: int) -> Count:
    """The T-step float32 iteration u = v + (x - (v - v_reset)) / tau, counting spikes.

    Returns a function of currents float32 [n] to spike counts int64 [n].
    """
    rest = np.float32(v_reset or 0.0)
    tau32, threshold32 = np.float32(tau), np.float32(threshold)

    def count(x: np.ndarray) -> np.ndarray:
        v = np.full_like(x, rest)
        total = np.zeros(x.shape, np.int64)
        for _ in range(timesteps):
            u = v + (x - (v - rest)) / tau32
            spike = u >= threshold32
            reset = u - threshold32 if v_reset is None else rest
            v = np.where(spike, reset, u).astype(np.float32)
            total += spike
        return total

    return count


def folded_counts(decay: float, threshold: float, reset: str, timesteps: int) -> Count:
    """The exported iteration u = decay v + x (1/tau and v_reset folded away), counting spikes."""
    decay32, threshold32 = np.float32(decay), np.float32(threshold)

    def count(x: np.ndarray) -> np.ndarray:
        v = np.zeros_like(x)
        total = np.zeros(x.shape, np.int64)
        for _ in range(timesteps):
            u = decay32 * v + x
            spike = u >= threshold32
            after = u - threshold32 if reset == "soft" else np.float32(0)
            v = np.where(spike, after, u).astype(np.float32)
            total += spike
        return total

    return count


def staircase(count: Count, timesteps: int, highest: float) -> Staircase:
    """Derive the staircase of `count` on [0, highest] by bisection over float32 values.

    Args:
        count: spikes by current, one of the functions above.
        timesteps: T; the count at `highest` must be T.
        highest: a current under which the neuron fires at every timestep.

    Raises:
        ConfigError: the count is not a monotone staircase that ends at T.
    """
    at, weight, reached = [], [], 0
    while reached < timesteps:
        position = _first_above(count, reached, highest)
        level = int(count(np.array([position], np.float32))[0])
        at.append(float(position))
        weight.append(level - reached)
        reached = level
    steps = Staircase(tuple(at), tuple(weight), timesteps)
    _check_monotone(count, steps, highest)
    return steps


def _first_above(count: Count, level: int, highest: float) -> np.float32:
    """Smallest positive float32 whose count exceeds `level`; positive floats order as integers."""
    low, high = 0, int(np.float32(highest).view(np.int32))
    if int(count(np.array([highest], np.float32))[0]) <= level:
        raise ConfigError(f"the neuron never fires more than {level} times below {highest}")
    while high - low > 1:
        middle = (low + high) // 2
        current = np.array([middle], np.int32).view(np.float32)
        low, high = (low, middle) if int(count(current)[0]) > level else (middle, high)
    return np.float32(np.array([high], np.int32).view(np.float32)[0])


def _check_monotone(count: Count, steps: Staircase, highest: float) -> None:
    near = [np.float32(a) for a in steps.at]
    near += [np.nextafter(a, np.float32(-np.inf)) for a in near]
    near += [np.nextafter(a, np.float32(np.inf)) for a in near]
    probes = np.concatenate([np.linspace(-highest, highest, 20001, dtype=np.float32), near])
    if not np.array_equal(count(probes.astype(np.float32)), evaluate(steps, probes)):
        raise ConfigError("the spike count under a constant current is not a monotone staircase")


def evaluate(steps: Staircase, x: np.ndarray) -> np.ndarray:
    """The staircase at currents float32 [n]: counts int64 [n]."""
    return sum(
        (
            w * (x >= np.float32(a)).astype(np.int64)
            for a, w in zip(steps.at, steps.weight, strict=True)
        ),
        start=np.zeros(x.shape, np.int64),
    )
