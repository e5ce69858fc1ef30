"""What an energy sensor is, and measuring a window with one.

A sensor is a counter in mJ that only grows. Counters are updated every few (tens of) milliseconds,
so a window must be much longer than that to mean anything: each sensor says how long, and a
shorter window gives no number but a reason.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.reading import read_file
from spikehalt.errors import SpikehaltError
from spikehalt.reading import reading, reason

_MAX_BYTES = 4096  # a page, which is what a driver gives at most


class SensorError(SpikehaltError):
    """A sensor cannot be read; the text says why. Never leaves this package."""


def sensor_text(path: Path) -> str:
    """What a driver's file says.

    Raises:
        SensorError: it cannot be read; its cause is a PermissionError where that is the reason.
    """
    try:
        return read_file(path, _MAX_BYTES).decode(errors="replace").strip()
    except DataFileError as error:
        raise SensorError(str(error)) from error.__cause__


def sensor_number(path: Path) -> float:
    """What a driver's file counts; errors as `sensor_text`, and where it is no number."""
    with reading(path, SensorError, "holds no number"):
        value = float(sensor_text(path))
        if not math.isfinite(value):
            raise ValueError(str(value))
        return value


class EnergySensor(Protocol):
    """A counter of consumed energy.

    Attributes:
        name: what is read, and of which parts, such as "RAPL (package-0, dram)".
        min_window_s: shorter windows mean nothing.
    """

    name: str
    min_window_s: float

    def energy_mj(self) -> float:
        """Energy consumed since some fixed moment, in mJ.

        Raises:
            SensorError: the reading failed, or the counter may have wrapped unnoticed.
        """
        ...

    def close(self) -> None:
        """Stop whatever samples in the background."""
        ...


class EnergyMeter:
    """Energy since a moment, as a number or a reason why there is none.

    Args:
        sensor: what to read, or why there is nothing to read.
        clock: seconds that only grow.
    """

    def __init__(
        self, sensor: EnergySensor | str, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._sensor, self._clock = sensor, clock
        self._start_s, self._start_mj, self._problem = 0.0, 0.0, ""
        self.reset()

    @property
    def name(self) -> str | None:
        """The sensor's name, None if there is no sensor."""
        return None if isinstance(self._sensor, str) else self._sensor.name

    @property
    def min_window_s(self) -> float:
        """The shortest window that gives a number; 0 without a sensor."""
        return 0.0 if isinstance(self._sensor, str) else self._sensor.min_window_s

    def reset(self) -> None:
        """Start a new window now."""
        self._start_s, self._problem = self._clock(), ""
        try:
            self._start_mj = self._read()
        except SensorError as error:
            self._problem = str(error)

    def energy_mj(self) -> tuple[float | None, str]:
        """Energy since the window started and "", or None and the reason.

        A window in which a reading failed has no number any more, even if later readings work.
        """
        if self._problem:
            return None, self._problem
        try:
            used = self._read() - self._start_mj
        except SensorError as error:
            self._problem = str(error)  # what the counter missed is missing until `reset`
            return None, self._problem
        window = self._clock() - self._start_s
        if window < self.min_window_s:
            return None, (
                f"a window of {window:.2f} s is too short for {self.name}, which needs "
                f"{self.min_window_s:g} s"
            )
        return used, ""

    def close(self) -> None:
        """Stop the sensor."""
        if not isinstance(self._sensor, str):
            self._sensor.close()

    def _read(self) -> float:
        if isinstance(self._sensor, str):
            raise SensorError(self._sensor)
        try:
            return float(self._sensor.energy_mj())
        except SensorError:
            raise
        except Exception as error:  # sensors of users raise what they like
            raise SensorError(f"{self._sensor.name} cannot be read: {reason(error)}") from error
