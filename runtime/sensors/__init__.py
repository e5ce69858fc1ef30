"""Energy, measured: sensors by name, and the one to use where a device computes."""

from __future__ import annotations

from collections.abc import Callable

from runtime.sensors.base import EnergyMeter, EnergySensor, SensorError
from runtime.sensors.ina3221 import Ina3221Sensor
from runtime.sensors.nvml import NvmlSensor
from runtime.sensors.rapl import RaplSensor
from runtime.sensors.zeus import ZeusSensor
from spikehalt.reading import reason

__all__ = ["EnergyMeter", "EnergySensor", "SensorError", "open_sensor", "sensor_names"]

_SENSORS: dict[str, Callable[[], EnergySensor]] = {
    "ina3221": Ina3221Sensor,
    "nvml": NvmlSensor,
    "rapl": RaplSensor,
    "zeus": ZeusSensor,
}


def sensor_names() -> list[str]:
    """Every sensor that can be asked for, "auto" first."""
    return ["auto", *_SENSORS]


def open_sensor(kind: str = "auto", device: str = "cpu") -> EnergySensor | str:
    """A sensor that works here, or why there is none.

    Args:
        kind: one of `sensor_names()`. "auto" takes the board's monitor on a Jetson, else the
            counter of what the engine computes on.
        device: what the engine computes on, such as "cpu" or "cuda".
    """
    order = [kind] if kind != "auto" else _order(device)
    problems = []
    for name in order:
        try:
            return _SENSORS[name]()
        except Exception as error:  # whatever lies below /sys, drivers and libraries: no sensor
            problems.append(f"{name}: {reason(error)}")
    return "; ".join(problems)


def _order(device: str) -> list[str]:
    """A Jetson's NVML initialises too, so its own monitor comes first."""
    if device.startswith("cpu"):
        return ["ina3221", "rapl", "zeus"]
    return ["ina3221", "nvml", "zeus"]
