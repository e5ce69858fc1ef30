"""INA3221 and INA238: the power monitors on NVIDIA Jetson boards, through sysfs.

Rails have labels such as VDD_IN (the whole module on Orin Nano and NX) or VDD_GPU_SOC. Where one
rail is the board's input, it alone is the total; where none is (AGX Orin), the rails are summed.
Thor measures its input, VIN, by an INA238. An INA3221's power is voltage (mV) times current (mA),
in µW; kernels before 5 have `rail_name_N` and `in_powerN_input` (mW) instead. An INA238 gives the
power itself, in µW.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.sensors.base import SensorError, sensor_number, sensor_text
from runtime.sensors.power import PowerIntegrator
from spikehalt.reading import reading

I2C_DRIVERS = Path("/sys/bus/i2c/drivers")
_DRIVERS = ("ina3221", "ina3221x")
_INPUT_DRIVERS = ("ina238",)
_TOTAL_RAILS = ("VIN", "VDD_IN", "POM_5V_IN")
_PERIOD_S = 0.02
_CHANNELS = (1, 2, 3)


@dataclass(frozen=True)
class Rail:
    """One measured supply line.

    Attributes:
        label: its name on the board.
        read_mw: reads its power now, in mW.
        monitor: the chip.
    """

    label: str
    read_mw: Callable[[], float]
    monitor: str = "INA3221"


class Ina3221Sensor:
    """Energy of a Jetson module.

    Args:
        root: the folder of I²C drivers.
        clock: seconds that only grow.
        start: sample in a background thread; tests sample themselves.

    Raises:
        SensorError: there is no such monitor here, or it cannot be read.
    """

    min_window_s = 50 * _PERIOD_S

    def __init__(
        self,
        root: Path = I2C_DRIVERS,
        clock: Callable[[], float] = time.perf_counter,
        start: bool = True,
    ) -> None:
        rails = total_rails(find_rails(root))
        if not rails:
            raise SensorError(f"no INA3221 or INA238 power monitor below {root}")
        self.name = f"{rails[0].monitor} ({' + '.join(rail.label for rail in rails)})"
        self.integrator = PowerIntegrator(
            lambda: sum(rail.read_mw() for rail in rails), _PERIOD_S, clock, start
        )

    def energy_mj(self) -> float:
        """See `EnergySensor.energy_mj`."""
        return self.integrator.energy_mj()

    def close(self) -> None:
        """Stop sampling."""
        self.integrator.close()


def find_rails(root: Path) -> list[Rail]:
    """Every rail of every monitor, new and old layouts.

    Raises:
        SensorError: a monitor is there and may not be looked at.
    """
    rails: list[Rail] = []
    with reading(root, SensorError):
        for device in _devices(root, _DRIVERS):
            for folder in sorted(device.glob("hwmon/hwmon*")):
                rails += _hwmon_rails(folder)
            for folder in sorted(device.glob("iio:device*")):
                rails += _old_rails(folder)
        for device in _devices(root, _INPUT_DRIVERS):
            for folder in sorted(device.glob("hwmon/hwmon*")):
                rails += _input_rails(folder)
    return rails


def _devices(root: Path, drivers: tuple[str, ...]) -> list[Path]:
    found = [device for driver in drivers for device in sorted((root / driver).glob("*"))]
    return [device for device in found if device.is_dir()]


def total_rails(rails: list[Rail]) -> list[Rail]:
    """The board's input alone where it is measured, else all rails, whose sum is the total."""
    inputs = [rail for rail in rails if rail.label in _TOTAL_RAILS]
    return inputs[:1] or rails


def _hwmon_rails(folder: Path) -> list[Rail]:
    rails = []
    for n in _CHANNELS:
        label = _label(folder / f"in{n}_label")
        if label is not None and (folder / f"curr{n}_input").exists():
            rails.append(Rail(label, _product(folder / f"in{n}_input", folder / f"curr{n}_input")))
    return rails


def _input_rails(folder: Path) -> list[Rail]:
    """An INA238 measures one rail, whose label may be missing: on Thor the board's input."""
    power = folder / "power1_input"
    if not power.exists():
        return []
    label = next(filter(None, (_label(folder / f"{what}_label") for what in ("power1", "in1"))), "")
    return [Rail(label or "VIN", lambda: sensor_number(power) / 1e3, "INA238")]


def _old_rails(folder: Path) -> list[Rail]:
    rails = []
    for n in (0, *_CHANNELS):
        label, power = _label(folder / f"rail_name_{n}"), folder / f"in_power{n}_input"
        if label is not None and power.exists():
            rails.append(Rail(label, _single(power)))
    return rails


def _label(path: Path) -> str | None:
    """The rail's label, None for channels that are not connected or not a rail."""
    with reading(path, SensorError):
        if not path.is_file():
            return None
        label = sensor_text(path)
    return None if label in ("", "NC") or label.lower().startswith("sum of shunt") else label


def _product(voltage_mv: Path, current_ma: Path) -> Callable[[], float]:
    return lambda: sensor_number(voltage_mv) * sensor_number(current_ma) / 1e3


def _single(power_mw: Path) -> Callable[[], float]:
    return lambda: sensor_number(power_mw)
