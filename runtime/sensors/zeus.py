"""The library `zeus`, for devices without a sensor of our own (AMD GPUs, Apple silicon)."""

from __future__ import annotations

from typing import Any

from runtime.sensors.base import SensorError
from spikehalt.extras import require_extra

_WINDOW = "spikehalt"
# Parts of Apple's chips that do not contain one another, in mJ.
_SOC_FIELDS = ("cpu_total_mj", "gpu_mj", "gpu_sram_mj", "dram_mj", "ane_mj")


class ZeusSensor:
    """Energy of everything a `zeus.monitor.ZeusMonitor` sees.

    zeus measures windows, not counters: every reading ends one window and begins the next.

    Args:
        monitor: a ZeusMonitor, for tests; None makes one.

    Raises:
        SensorError: zeus is not installed, or finds no device.
    """

    min_window_s = 2.0

    def __init__(self, monitor: Any = None) -> None:
        self._monitor = _make() if monitor is None else monitor
        self._total_mj = 0.0
        self._begin()
        self.energy_mj()  # zeus opens where it has nothing to measure, too
        self.name = "zeus"

    def energy_mj(self) -> float:
        """See `EnergySensor.energy_mj`."""
        try:
            used = self._monitor.end_window(_WINDOW, sync_execution=False)
        except Exception as error:
            raise SensorError(f"zeus cannot measure: {error}") from error
        self._begin()
        self._total_mj += _total_mj(used)
        return self._total_mj

    def close(self) -> None:
        """Zeus stops with the process."""

    def _begin(self) -> None:
        try:
            self._monitor.begin_window(_WINDOW, sync_execution=False)
        except Exception as error:
            raise SensorError(f"zeus cannot measure: {error}") from error


def _total_mj(used: Any) -> float:
    """Sum of a zeus Measurement, whose GPU, CPU and memory values are in J."""
    parts = [used.gpu_energy, used.cpu_energy, used.dram_energy]
    values = [joules for part in parts if part for joules in part.values()]
    soc = [getattr(used.soc_energy, name, None) for name in _SOC_FIELDS]
    soc_mj = [value for value in soc if value is not None]
    if not values and not soc_mj:
        raise SensorError("zeus found no device to measure")
    return float(1e3 * sum(values) + sum(soc_mj))


def _make() -> Any:
    module = require_extra("zeus.monitor", "energy", "the sensor zeus", SensorError)
    try:
        return module.ZeusMonitor()
    except Exception as error:
        raise SensorError(f"zeus does not work here: {error}") from error
