"""NVML: energy of desktop and server GPUs, through nvidia-ml-py.

Volta and newer have an energy counter; where there is none, power is integrated, and the name says
so. On Jetson NVML initialises but its readings are not supported, so the sensor proves itself with
a first reading before it is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from runtime.sensors.base import SensorError
from runtime.sensors.gpu import cuda_bus_id, find_gpu, text_of
from runtime.sensors.power import PowerIntegrator
from spikehalt.extras import require_extra
from spikehalt.reading import reason

_UPDATE_S = 0.1  # the counter moves every 20 to 100 ms
_PERIOD_S = 0.05  # between samples of the power


class NvmlSensor:
    """Energy of the GPU that the backends compute on.

    Args:
        library: the module `pynvml`, for tests.
        bus_id: finds the GPU's place on the PCI bus.
        clock: seconds that only grow.
        start: sample power in a background thread; tests sample themselves.

    Raises:
        SensorError: no nvidia-ml-py, no driver, no such GPU, or neither energy nor power of it.
    """

    min_window_s = 20 * _UPDATE_S

    def __init__(
        self,
        library: Any = None,
        bus_id: Callable[[], str | None] = cuda_bus_id,
        clock: Callable[[], float] = time.perf_counter,
        start: bool = True,
    ) -> None:
        self._nvml = _import() if library is None else library
        try:
            self._nvml.nvmlInit()
            self._handle = find_gpu(self._nvml, bus_id())
            name = text_of(self._nvml.nvmlDeviceGetName(self._handle))
        except SensorError:
            raise
        except Exception as error:  # NVMLError and whatever a broken driver raises
            raise SensorError(f"NVML does not work here: {reason(error)}") from error
        self.integrator: PowerIntegrator | None = None
        self.name = f"NVML ({name})"
        try:
            self._counter_mj()
        except SensorError as error:
            self.integrator = self._integrator(str(error), clock, start)
            self.name = f"NVML ({name}, power integrated: it has no energy counter)"

    def energy_mj(self) -> float:
        """See `EnergySensor.energy_mj`."""
        return self._counter_mj() if self.integrator is None else self.integrator.energy_mj()

    def close(self) -> None:
        """Stop sampling. NVML stays initialised: others in this process may use it."""
        if self.integrator is not None:
            self.integrator.close()

    def _counter_mj(self) -> float:
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except Exception as error:
            why = reason(error)
            raise SensorError(f"this GPU's energy counter cannot be read: {why}") from error

    def _integrator(
        self, no_counter: str, clock: Callable[[], float], start: bool
    ) -> PowerIntegrator:
        try:
            return PowerIntegrator(self._power_mw, _PERIOD_S, clock, start)
        except SensorError as error:
            raise SensorError(f"{no_counter}; {error}") from error

    def _power_mw(self) -> float:
        try:
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle))
        except Exception as error:
            raise SensorError(f"this GPU's power cannot be read: {reason(error)}") from error


def _import() -> Any:
    return require_extra("pynvml", "nvml", "NVML", SensorError)
