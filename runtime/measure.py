"""Measuring a bundle: warm-up, alternating rounds, medians with their spread, energy.

Variants (early exit against all timesteps, batch sizes) take turns, round by round: a machine that
gets slower or faster meanwhile does so for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.engine import Engine
from runtime.results.result import ImageResult, Result
from runtime.sensors import EnergyMeter
from spikehalt.errors import ConfigError
from spikehalt.exits import NEVER

Clock = Callable[[], float]
_ROUNDS_FOR_QUARTILES = 4


@dataclass(frozen=True)
class Variant:
    """One way of running, to be compared with others.

    Attributes:
        name: for people.
        batch: images per call; 0 streams them one by one instead.
        overrides: policy, threshold, epsilon, max_timesteps of its calls.
    """

    name: str
    batch: int
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a variant took.

    Attributes:
        name: of the variant.
        batch: images per call; 0 for a stream.
        rounds: how many were timed.
        images_per_round: images in each.
        median_ms: median over rounds of the time per image.
        low_ms: lower quartile; None where there are too few rounds for one.
        high_ms: upper quartile, likewise.
        images_per_s: 1000 / median_ms.
        average_timesteps: executed timesteps per image.
        average_tokens: live tokens over K_0.
        energy_estimated_mj: per image; None if the bundle has no constants.
        energy_measured_mj: per image, of the whole device, idle share included; None with a
            reason in `energy_note`.
        energy_note: sensor, length of its window, or why there is no number.
    """

    name: str
    batch: int
    rounds: int
    images_per_round: int
    median_ms: float
    low_ms: float | None
    high_ms: float | None
    images_per_s: float
    average_timesteps: float
    average_tokens: float
    energy_estimated_mj: float | None
    energy_measured_mj: float | None
    energy_note: str


def variants(
    batches: Sequence[int], stream: bool, overrides: dict[str, Any], exits: bool
) -> list[Variant]:
    """Early exit and all timesteps at every batch size (0: as a stream).

    Args:
        batches: images per call.
        stream: also stream images one by one.
        overrides: of the early-exit variants.
        exits: whether early exit is measured too; False: all timesteps alone are.
    """
    fixed = {"policy": NEVER.name, "epsilon": overrides.get("epsilon")}
    ways = [("all timesteps", fixed)]
    if exits:
        ways.insert(0, ("early exit", overrides))
    sizes = [*batches, *([0] if stream else [])]
    return [Variant(name, size, way) for size in sizes for name, way in ways]


def measure(
    engine: Engine,
    images: NDArray[Any],
    compared: Sequence[Variant],
    *,
    rounds: int = 7,
    meter: EnergyMeter | None = None,
    ticking: Callable[[Iterable[int], int], Iterator[int]] | None = None,
    clock: Clock = time.perf_counter,
) -> list[Measured]:
    """Time every variant on the same images.

    Args:
        engine: of the bundle.
        images: [N, …] inputs; every round runs all of them.
        compared: the variants.
        rounds: timed rounds per variant, after one to warm up.
        meter: measures energy, in windows of its own after the timed rounds; None measures none.
        ticking: wraps the steps to show progress, called with them and their number.
        clock: seconds that only grow.

    Raises:
        ConfigError: fewer images than a batch takes.
    """
    _check_batches(len(images), compared)
    seconds: list[list[float]] = [[] for _ in compared]
    totals = [_run(engine, images, variant) for variant in compared]  # this also warms up
    steps: Iterable[int] = [number for _ in range(rounds) for number in range(len(compared))]
    for number in steps if ticking is None else ticking(steps, rounds * len(compared)):
        begin = clock()
        _run(engine, images, compared[number])
        seconds[number].append(clock() - begin)
    energies = [_energy(engine, images, variant, meter, clock) for variant in compared]
    return [_measured(*each) for each in zip(compared, totals, seconds, energies, strict=True)]


def _check_batches(images: int, compared: Sequence[Variant]) -> None:
    largest = max((variant.batch for variant in compared), default=1)
    if largest > images:
        raise ConfigError(
            f"a batch of {largest} needs as many images, and there are {images}: take more, or a "
            "smaller batch"
        )


@dataclass
class _Totals:
    """Sums over the images of one round."""

    images: int = 0
    timesteps: float = 0.0
    tokens: float = 0.0
    energy_mj: float | None = 0.0

    def add(self, answer: Result | ImageResult) -> None:
        self.images += len(answer) if isinstance(answer, Result) else 1
        self.timesteps += float(np.sum(answer.timesteps))
        self.tokens += float(np.sum(answer.average_tokens))
        if answer.energy_mj is None or self.energy_mj is None:
            self.energy_mj = None
        else:
            self.energy_mj += float(np.sum(answer.energy_mj))


def _run(engine: Engine, images: NDArray[Any], variant: Variant) -> _Totals:
    totals, size = _Totals(), variant.batch
    if size == 0:
        for streamed in engine.stream(images, **variant.overrides):
            totals.add(streamed.result)
    else:
        for start in range(0, len(images) - size + 1, size):  # whole batches alone
            totals.add(engine(images[start : start + size], **variant.overrides))
    return totals


def _energy(
    engine: Engine,
    images: NDArray[Any],
    variant: Variant,
    meter: EnergyMeter | None,
    clock: Clock,
) -> tuple[float | None, str]:
    """Energy per image over as many rounds as the sensor needs, and how it was measured."""
    if meter is None or meter.name is None:
        return None, "not asked for" if meter is None else meter.energy_mj()[1]
    begin, count = clock(), 0
    meter.reset()
    while count == 0 or clock() - begin < meter.min_window_s:
        count += _run(engine, images, variant).images
    used, problem = meter.energy_mj()
    if used is None:
        return None, problem
    return used / count, f"{meter.name}, over {clock() - begin:.1f} s and {count} images"


def _measured(
    variant: Variant, totals: _Totals, seconds: list[float], energy: tuple[float | None, str]
) -> Measured:
    images = totals.images
    low, median, high = np.percentile(np.array(seconds) * 1e3 / images, [25, 50, 75]).tolist()
    spread = len(seconds) >= _ROUNDS_FOR_QUARTILES
    return Measured(
        name=variant.name,
        batch=variant.batch,
        rounds=len(seconds),
        images_per_round=images,
        median_ms=median,
        low_ms=low if spread else None,
        high_ms=high if spread else None,
        images_per_s=1e3 / median,
        average_timesteps=totals.timesteps / images,
        average_tokens=totals.tokens / images,
        energy_estimated_mj=None if totals.energy_mj is None else totals.energy_mj / images,
        energy_measured_mj=energy[0],
        energy_note=energy[1],
    )
