from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.sensors import SensorError
from runtime.sensors.ina3221 import Ina3221Sensor, find_rails, total_rails
from tests.runtime.sensors.fakes import Clock


def monitor(root: Path, rails: dict[str, tuple[int, int]], address: str = "1-0040") -> Path:
    """A monitor as the hwmon driver shows it: {label: (mV, mA)}."""
    folder = root / "ina3221" / address / "hwmon" / "hwmon3"
    folder.mkdir(parents=True)
    for n, (label, (voltage, current)) in enumerate(rails.items(), start=1):
        (folder / f"in{n}_label").write_text(f"{label}\n")
        (folder / f"in{n}_input").write_text(f"{voltage}\n")
        (folder / f"curr{n}_input").write_text(f"{current}\n")
    return folder


ORIN_NANO = {"VDD_IN": (5000, 1000), "VDD_CPU_GPU_CV": (5000, 300), "VDD_SOC": (5000, 200)}
AGX_ORIN = {"VDD_GPU_SOC": (20000, 100), "VDD_CPU_CV": (20000, 50), "VIN_SYS_5V0": (5000, 400)}


def test_the_boards_input_alone_is_the_total(tmp_path: Path) -> None:
    monitor(tmp_path, ORIN_NANO)
    clock = Clock()
    sensor = Ina3221Sensor(tmp_path, clock, start=False)
    clock.now_s = 2.0

    assert sensor.name == "INA3221 (VDD_IN)"
    assert sensor.energy_mj() == pytest.approx(2 * 5000)  # 5 W for 2 s


def test_rails_are_summed_where_no_rail_is_the_input(tmp_path: Path) -> None:
    monitor(tmp_path, AGX_ORIN)
    clock = Clock()
    sensor = Ina3221Sensor(tmp_path, clock, start=False)
    clock.now_s = 1.0

    assert sensor.energy_mj() == pytest.approx(2000 + 1000 + 2000)


def test_rails_of_several_monitors_are_found(tmp_path: Path) -> None:
    monitor(tmp_path, AGX_ORIN, "1-0040")
    monitor(tmp_path, {"VDDQ_VDD2_1V8AO": (5000, 100)}, "1-0041")
    clock = Clock()
    sensor = Ina3221Sensor(tmp_path, clock, start=False)
    clock.now_s = 1.0

    assert sensor.energy_mj() == pytest.approx(5500)


def test_the_sum_of_shunts_is_no_rail(tmp_path: Path) -> None:
    folder = monitor(tmp_path, {"VDD_GPU": (5000, 100), "NC": (1, 1)})
    (folder / "in7_label").write_text("sum of shunt voltages")
    (folder / "in3_label").write_text("Sum of shunt voltages")
    (folder / "curr3_input").write_text("7")

    assert Ina3221Sensor(tmp_path, start=False).name == "INA3221 (VDD_GPU)"


def test_old_kernels_give_power_directly(tmp_path: Path) -> None:
    folder = tmp_path / "ina3221x" / "6-0040" / "iio:device0"
    folder.mkdir(parents=True)
    (folder / "rail_name_0").write_text("POM_5V_IN")
    (folder / "in_power0_input").write_text("2500")
    clock = Clock()
    sensor = Ina3221Sensor(tmp_path, clock, start=False)
    clock.now_s = 4.0

    assert sensor.energy_mj() == pytest.approx(10_000)


def test_power_is_integrated_between_samples(tmp_path: Path) -> None:
    folder = monitor(tmp_path, {"VDD_IN": (5000, 1000)})
    clock = Clock()
    sensor = Ina3221Sensor(tmp_path, clock, start=False)
    clock.now_s = 1.0
    (folder / "curr1_input").write_text("3000")
    sensor.integrator.sample()
    clock.now_s = 2.0

    assert sensor.energy_mj() == pytest.approx((5000 + 15000) / 2 + 15000)


def test_the_background_sampler_starts_and_stops(tmp_path: Path) -> None:
    monitor(tmp_path, ORIN_NANO)
    sensor = Ina3221Sensor(tmp_path)
    sensor.close()

    assert sensor.energy_mj() > 0


def test_a_board_without_the_monitor_is_told(tmp_path: Path) -> None:
    with pytest.raises(SensorError, match="no INA3221 or INA238 power monitor"):
        Ina3221Sensor(tmp_path)


def test_a_monitor_that_disappears_is_a_reason(tmp_path: Path) -> None:
    folder = monitor(tmp_path, ORIN_NANO)
    sensor = Ina3221Sensor(tmp_path, start=False)
    (folder / "curr1_input").unlink()

    with pytest.raises(SensorError, match="curr1_input cannot be read"):
        sensor.energy_mj()


def test_thors_input_is_the_total(tmp_path: Path) -> None:
    for name, text in {
        "ina3221/1-0040/hwmon/hwmon3/in1_label": "VDD_GPU",
        "ina3221/1-0040/hwmon/hwmon3/in1_input": "5000",
        "ina3221/1-0040/hwmon/hwmon3/curr1_input": "1000",
        "ina238/2-0044/hwmon/hwmon4/power1_input": "42000000",
        "ina238/2-0044/hwmon/hwmon4/in1_label": "VIN",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    (rail,) = total_rails(find_rails(tmp_path))
    assert (rail.label, rail.monitor, rail.read_mw()) == ("VIN", "INA238", 42_000.0)


def test_a_label_that_may_not_be_read_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ina3221/1-0040/hwmon/hwmon3"
    folder.mkdir(parents=True)
    (folder / "in1_label").write_text("VDD_IN")

    def closed(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", closed)
    with pytest.raises(SensorError, match="in1_label cannot be read: Permission denied"):
        Ina3221Sensor(tmp_path, start=False)
