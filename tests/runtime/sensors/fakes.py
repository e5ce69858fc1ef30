"""A clock and a sensor that tests move by hand."""

from __future__ import annotations

from runtime.sensors import SensorError


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Sensor:
    """Reads `total_mj`; fails with `problem`."""

    def __init__(self, min_window_s: float = 1.0) -> None:
        self.name, self.min_window_s = "fake", min_window_s
        self.total_mj, self.problem, self.closed = 100.0, "", False

    def energy_mj(self) -> float:
        if self.problem:
            raise SensorError(self.problem)
        return self.total_mj

    def close(self) -> None:
        self.closed = True
