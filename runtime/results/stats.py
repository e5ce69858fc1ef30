"""Running figures of an engine: throughput, latency, where time goes, tokens, energy.

A figure that cannot be given is None and its reason stands in `Stats.reasons`; it is never zero.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from runtime.results.result import Result
from runtime.results.timing import Timings
from runtime.sensors.base import EnergyMeter

KEPT_CALLS = 4096  # latencies remembered, so that memory stays bounded


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Figures since the engine was made (or since `reset_stats`).

    Attributes:
        calls: calls that succeeded.
        images: images they answered.
        images_per_s: images over the time at least one call was running.
        latency_p50_ms: median time of a call, over the last calls.
        latency_p90_ms: 90th percentile.
        latency_p99_ms: 99th percentile.
        pre_ms: checks and copies, per image.
        first_chunk_ms: the first graph, once-per-image work and its timesteps, per image.
        next_chunk_ms: every further graph run, per image that took part.
        once_ms: first_chunk_ms − next_chunk_ms: the once-per-image work.
        exit_ms: exit logic and bookkeeping, per image.
        average_timesteps: executed timesteps per image.
        average_tokens: live tokens over K_0, averaged over blocks and executed timesteps.
        energy_estimated_mj: per image, from the bundle's constants or in-graph counts.
        energy_measured_mj: per image, by the sensor, idle time included.
        energy_sensor: which one.
        reasons: why a figure is None, by its name.
    """

    calls: int
    images: int
    images_per_s: float | None = None
    latency_p50_ms: float | None = None
    latency_p90_ms: float | None = None
    latency_p99_ms: float | None = None
    pre_ms: float | None = None
    first_chunk_ms: float | None = None
    next_chunk_ms: float | None = None
    once_ms: float | None = None
    exit_ms: float | None = None
    average_timesteps: float | None = None
    average_tokens: float | None = None
    energy_estimated_mj: float | None = None
    energy_measured_mj: float | None = None
    energy_sensor: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass
class _Sums:
    calls: int = 0
    images: int = 0
    busy_s: float = 0.0
    pre_s: float = 0.0
    exit_s: float = 0.0
    first_s: float = 0.0
    first_images: int = 0
    next_s: float = 0.0
    next_images: int = 0
    timesteps: int = 0
    tokens: float = 0.0
    energy_mj: float = 0.0
    energy_images: int = 0


class StatsKeeper:
    """Collects what calls report; safe to use from several threads.

    Args:
        meter: measures energy from now on.
        clock: seconds that only grow.
    """

    def __init__(self, meter: EnergyMeter, clock: Callable[[], float] = time.perf_counter) -> None:
        self._meter, self._clock = meter, clock
        self._lock = threading.Lock()
        self._sums = _Sums()
        self._latencies_s: deque[float] = deque(maxlen=KEPT_CALLS)
        self._running, self._busy_since = 0, 0.0

    def begin(self) -> None:
        """A call starts."""
        with self._lock:
            if self._running == 0:
                self._busy_since = self._clock()
            self._running += 1

    def end(self) -> None:
        """A call ends, successfully or not."""
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._sums.busy_s += self._clock() - self._busy_since

    def add(self, timings: Timings, result: Result) -> None:
        """Count a call that succeeded."""
        energy = result.energy_mj
        tokens = float(result.average_tokens.sum())
        with self._lock:
            sums = self._sums
            self._latencies_s.append(timings.total_s)
            sums.calls += 1
            sums.images += len(result)
            sums.pre_s += timings.pre_s
            sums.exit_s += timings.exit_s
            sums.timesteps += int(result.timesteps.sum())
            sums.tokens += tokens
            _add_chunks(sums, timings)
            if energy is not None:
                sums.energy_mj += float(energy.sum())
                sums.energy_images += len(result)

    def reset(self) -> None:
        """Forget everything, and start measuring energy anew."""
        with self._lock:
            self._sums = _Sums()
            self._latencies_s.clear()
            self._busy_since = self._clock()
            self._meter.reset()

    def snapshot(self) -> Stats:
        """The figures now."""
        with self._lock:
            running = self._clock() - self._busy_since if self._running else 0.0
            # Copies: calls that end meanwhile go on adding to the originals.
            sums, latencies_s = dataclasses.replace(self._sums), np.array(self._latencies_s)
            energy, reason = self._meter.energy_mj()
        figures, reasons = _figures(sums, sums.busy_s + running, latencies_s)
        if energy is not None and sums.images:
            figures["energy_measured_mj"] = energy / sums.images
        else:
            reasons["energy_measured_mj"] = reason or "no image yet"
        return Stats(
            calls=sums.calls,
            images=sums.images,
            energy_sensor=self._meter.name,
            reasons=reasons,
            **figures,
        )


def _add_chunks(sums: _Sums, timings: Timings) -> None:
    for chunk in timings.chunks:
        if chunk.start == 0:
            sums.first_s += chunk.seconds
            sums.first_images += chunk.images
        else:
            sums.next_s += chunk.seconds
            sums.next_images += chunk.images


def _figures(
    sums: _Sums, busy_s: float, latencies_s: np.ndarray
) -> tuple[dict[str, float], dict[str, str]]:
    """What can be given, and reasons for what cannot."""
    n, ms = sums.images, 1e3
    quotients = {
        "images_per_s": (n, busy_s, "no image yet"),
        "pre_ms": (ms * sums.pre_s, n, "no image yet"),
        "exit_ms": (ms * sums.exit_s, n, "no image yet"),
        "first_chunk_ms": (ms * sums.first_s, sums.first_images, "no image yet"),
        "next_chunk_ms": (ms * sums.next_s, sums.next_images, "no image ran a second chunk"),
        "average_timesteps": (sums.timesteps, n, "no image yet"),
        "average_tokens": (sums.tokens, n, "no image yet"),
        "energy_estimated_mj": (
            sums.energy_mj,
            sums.energy_images,
            "the bundle has no energy constants" if n else "no image yet",
        ),
    }
    figures = {name: a / b for name, (a, b, _) in quotients.items() if b}
    reasons = {name: reason for name, (_, b, reason) in quotients.items() if not b}
    if "next_chunk_ms" in figures:
        once_ms = figures["first_chunk_ms"] - figures["next_chunk_ms"]
        if once_ms >= 0:
            figures["once_ms"] = once_ms
        else:
            reasons["once_ms"] = "smaller than the spread of the chunks' times"
    else:
        reasons["once_ms"] = "needs a second chunk to compare with"
    for percent in (50, 90, 99):
        name = f"latency_p{percent}_ms"
        if len(latencies_s):
            figures[name] = float(np.percentile(latencies_s, percent)) * ms
        else:
            reasons[name] = "no call yet"
    return figures, reasons
