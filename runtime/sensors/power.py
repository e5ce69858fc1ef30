"""Making an energy counter out of a power reading, by sampling it in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from runtime.sensors.base import SensorError
from spikehalt.reading import reason


class PowerIntegrator:
    """Integrates power over time (trapezoids between samples).

    Args:
        read_mw: reads the power now, in mW; may raise `SensorError`.
        period_s: time between samples.
        clock: seconds that only grow.
        start: sample in a background thread; tests call `sample` themselves.
    """

    def __init__(
        self,
        read_mw: Callable[[], float],
        period_s: float,
        clock: Callable[[], float] = time.perf_counter,
        start: bool = True,
    ) -> None:
        self._read_mw, self._period_s, self._clock = read_mw, period_s, clock
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._total_mj, self._problem = 0.0, ""
        self._last_mw, self._last_s = read_mw(), clock()
        self._thread = threading.Thread(target=self._loop, name="power sensor", daemon=True)
        if start:
            self._thread.start()

    def energy_mj(self) -> float:
        """Energy since the start, in mJ.

        Raises:
            SensorError: a reading failed.
        """
        self.sample()
        with self._lock:
            if self._problem:
                raise SensorError(self._problem)
            return self._total_mj

    def sample(self) -> None:
        """Read the power now and add what was used since the last sample."""
        with self._lock:
            try:
                now_mw, now_s = self._read_mw(), self._clock()
            except Exception as error:  # the sampling thread keeps the reason and goes on
                self._problem = reason(error)
                return
            self._total_mj += (now_s - self._last_s) * (self._last_mw + now_mw) / 2
            self._last_mw, self._last_s = now_mw, now_s

    def close(self) -> None:
        """Stop sampling."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(self._period_s):
            self.sample()
