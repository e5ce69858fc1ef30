from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runtime import sensors as energy
from runtime.sensors import SensorError, open_sensor
from runtime.sensors.nvml import NvmlSensor
from runtime.sensors.zeus import ZeusSensor
from tests.runtime.sensors.fakes import Sensor


class Nvml:
    """The part of pynvml that is used."""

    def __init__(self, energy_mj: Any = 1000, init: Any = None) -> None:
        self.energy_mj, self.init = energy_mj, init

    def nvmlInit(self) -> None:  # noqa: N802
        if self.init:
            raise self.init

    def nvmlDeviceGetHandleByPciBusId(self, bus_id: str) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes:  # noqa: N802
        return b"H200"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        if isinstance(self.energy_mj, Exception):
            raise self.energy_mj
        return int(self.energy_mj)


def nvml_sensor(library: Any, bus_id: str | None = "0000:65:00.0") -> NvmlSensor:
    return NvmlSensor(library, lambda: bus_id, start=False)


def test_nvml_reads_the_counter() -> None:
    library = Nvml()
    sensor = nvml_sensor(library)
    library.energy_mj = 1500

    assert sensor.name == "NVML (H200)"
    assert sensor.energy_mj() == 1500.0


def test_nvml_is_not_chosen_by_initialising_alone() -> None:
    with pytest.raises(SensorError, match="counter cannot be read: Not Supported"):
        nvml_sensor(Nvml(RuntimeError("Not Supported")))  # as on a Jetson


def test_nvml_without_a_driver_says_so() -> None:
    with pytest.raises(SensorError, match="Driver Not Loaded"):
        nvml_sensor(Nvml(init=RuntimeError("Driver Not Loaded")))


class Zeus:
    """The part of zeus.monitor.ZeusMonitor that is used."""

    def __init__(self, **measured: Any) -> None:
        empty = {"gpu_energy": {}, "cpu_energy": None, "dram_energy": None, "soc_energy": None}
        self.measured = SimpleNamespace(**{**empty, **measured})
        self.windows: list[str] = []

    def begin_window(self, key: str, sync_execution: bool = True) -> None:
        assert not sync_execution and key not in self.windows
        self.windows.append(key)

    def end_window(self, key: str, sync_execution: bool = True) -> Any:
        assert not sync_execution
        self.windows.remove(key)
        return self.measured


def test_zeus_windows_become_a_counter() -> None:
    sensor = ZeusSensor(Zeus(gpu_energy={0: 1.5, 1: 0.5}, cpu_energy={0: 1.0}))

    first = sensor.energy_mj()
    assert sensor.energy_mj() - first == 3000.0


def test_zeus_on_apple_silicon_counts_each_part_once() -> None:
    soc = SimpleNamespace(cpu_total_mj=10, efficiency_cores_mj=[4], gpu_mj=5, dram_mj=None)

    sensor = ZeusSensor(Zeus(soc_energy=soc))
    first = sensor.energy_mj()

    assert sensor.energy_mj() - first == 15.0


def test_zeus_without_devices_is_not_chosen() -> None:
    with pytest.raises(SensorError, match="no device"):
        ZeusSensor(Zeus())


def refuse(reason: str) -> Any:
    def make() -> None:
        raise SensorError(reason)

    return make


def test_auto_prefers_the_boards_monitor_then_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    board, gpu, cpu = Sensor(), Sensor(), Sensor()
    sensors = {"ina3221": lambda: board, "nvml": lambda: gpu, "rapl": lambda: cpu}
    monkeypatch.setattr(energy, "_SENSORS", {**sensors, "zeus": refuse("absent")})
    assert open_sensor("auto", "cuda") is board

    monkeypatch.setattr(energy, "_SENSORS", {**sensors, "ina3221": refuse("no board")})
    assert open_sensor("auto", "cuda") is gpu
    assert open_sensor("auto", "cpu") is cpu


def test_where_nothing_works_every_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ina3221", "rapl", "zeus", "nvml")
    monkeypatch.setattr(energy, "_SENSORS", {name: refuse(f"no {name}") for name in names})

    assert open_sensor() == "ina3221: no ina3221; rapl: no rapl; zeus: no zeus"
    assert open_sensor("nvml") == "nvml: no nvml"
