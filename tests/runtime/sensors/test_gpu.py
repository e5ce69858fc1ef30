"""The GPU that is measured is the one that computes, however CUDA and NVML number them."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.sensors import SensorError
from runtime.sensors.gpu import cuda_bus_id, find_gpu
from runtime.sensors.nvml import NvmlSensor
from tests.runtime.sensors.fakes import Clock

UUIDS = ("GPU-aaaa", "GPU-bbbb")
BUSES = ("0000:01:00.0", "0000:65:00.0")


class Nvml:
    """Two GPUs; `power` alone where there is no counter."""

    def __init__(self, names: tuple[str, str] = ("H200", "H200"), **settings: Any) -> None:
        self.names, self.settings, self.power_mw = names, settings, 50_000.0

    def __getattr__(self, name: str) -> Any:
        return {
            "nvmlInit": lambda: None,
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetHandleByPciBusId": BUSES.index,
            "nvmlDeviceGetUUID": lambda handle: UUIDS[handle].encode(),
            "nvmlDeviceGetName": lambda handle: self.names[handle],
            "nvmlDeviceGetMigMode": lambda _: (self.settings.get("mig", 0), 0),
            "nvmlDeviceGetTotalEnergyConsumption": self.energy_mj,
            "nvmlDeviceGetPowerUsage": lambda _: self.power_mw,
        }[name]

    def energy_mj(self, handle: int) -> int:
        if self.settings.get("counter") is False:
            raise RuntimeError("Not Supported")
        return 1000 * (handle + 1)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("number", [0, 1])
def test_cudas_driver_names_it_by_its_place_on_the_bus(number: int) -> None:
    assert find_gpu(Nvml(("A", "B")), BUSES[number]) == number


@pytest.mark.parametrize(
    ("visible", "number"), [(None, 0), ("1", 1), ("1,0", 1), ("GPU-bb", 1), ("GPU-aaaa,1", 0)]
)
def test_without_a_driver_the_variable_names_it(
    visible: str | None, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert find_gpu(Nvml(), None) == number


def test_numbers_are_believed_where_they_are_in_the_order_of_the_bus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(SensorError, match="cannot be told: name it by UUID"):
        find_gpu(Nvml(("A", "B")), None)

    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert find_gpu(Nvml(("A", "B")), None) == 1


@pytest.mark.parametrize(
    ("visible", "why"),
    [("MIG-1", "part of a GPU"), ("", "shows no GPU"), ("-1", "shows no"), ("7", "7 of 2"),
     ("GPU-cc", "no GPU GPU-cc"), ("GPU-", "2 GPUs GPU-"), ("\u00b2", "shows no GPU"),
     ("NoDevFiles", "shows no GPU"), ("MIG-GPU-aaaa/1/0", "part of a GPU")],
)  # fmt: skip
def test_what_has_no_counter_is_a_reason(
    visible: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    with pytest.raises(SensorError, match=why):
        find_gpu(Nvml(), None)


def test_a_divided_gpu_is_not_measured() -> None:
    with pytest.raises(SensorError, match="divided"):
        find_gpu(Nvml(mig=1), BUSES[0])


def test_without_a_driver_there_is_no_place_on_the_bus() -> None:
    assert cuda_bus_id("libno-such-library.so") is None


def test_a_gpu_without_a_counter_integrates_power_and_says_so() -> None:
    library, clock = Nvml(counter=False), Clock()
    sensor = NvmlSensor(library, lambda: BUSES[0], clock, start=False)

    clock.now_s = 2.0
    assert sensor.energy_mj() == 100_000.0
    assert "power integrated" in sensor.name
