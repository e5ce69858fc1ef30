"""NVML: the energy counter of desktop and server GPUs (Volta and newer), through nvidia-ml-py.

On Jetson NVML initialises but its readings are not supported, so the sensor proves itself with a
first reading before it is chosen.
"""

from __future__ import annotations

from typing import Any

from runtime.sensors.base import SensorError
from spikehalt.extras import require_extra

_UPDATE_S = 0.1  # the counter moves every 20 to 100 ms


class NvmlSensor:
    """Energy of one GPU.

    Args:
        index: which GPU.
        library: the module `pynvml`, for tests.

    Raises:
        SensorError: no nvidia-ml-py, no driver, no such GPU, or no energy counter in it.
    """

    min_window_s = 20 * _UPDATE_S

    def __init__(self, index: int = 0, library: Any = None) -> None:
        self._nvml = _import() if library is None else library
        try:
            self._nvml.nvmlInit()
            self._handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
            name = self._nvml.nvmlDeviceGetName(self._handle)
        except Exception as error:  # NVMLError and whatever a broken driver raises
            raise SensorError(f"NVML does not work here: {error}") from error
        self.energy_mj()
        text = name.decode() if isinstance(name, bytes) else name
        self.name = f"NVML (GPU {index}, {text})"

    def energy_mj(self) -> float:
        """See `EnergySensor.energy_mj`."""
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except Exception as error:
            raise SensorError(f"this GPU's energy counter cannot be read: {error}") from error

    def close(self) -> None:
        """NVML stays initialised: others in this process may use it."""


def _import() -> Any:
    return require_extra("pynvml", "nvml", "NVML", SensorError)
