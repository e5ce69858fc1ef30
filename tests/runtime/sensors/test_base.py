from __future__ import annotations

from runtime.sensors import EnergyMeter
from tests.runtime.sensors.fakes import Clock, Sensor


def test_a_window_measures_what_was_used_in_it() -> None:
    sensor, clock = Sensor(), Clock()
    meter = EnergyMeter(sensor, clock)
    sensor.total_mj, clock.now_s = 130.0, 1.0

    assert meter.energy_mj() == (30.0, "")
    meter.reset()
    sensor.total_mj, clock.now_s = 135.0, 3.0
    assert meter.energy_mj() == (5.0, "")


def test_a_window_too_short_for_the_sensor_gives_no_number() -> None:
    clock = Clock()
    meter = EnergyMeter(Sensor(min_window_s=2.0), clock)
    clock.now_s = 1.5

    assert meter.energy_mj() == (None, "a window of 1.50 s is too short for fake, which needs 2 s")


def test_without_a_sensor_there_is_a_reason_and_never_zero() -> None:
    meter = EnergyMeter("no counter here")

    assert meter.energy_mj() == (None, "no counter here")
    assert meter.name is None and meter.min_window_s == 0
    meter.close()


def test_a_reading_that_fails_is_a_reason() -> None:
    sensor, clock = Sensor(), Clock()
    meter = EnergyMeter(sensor, clock)
    sensor.problem, clock.now_s = "bus error", 5.0
    assert meter.energy_mj() == (None, "bus error")

    meter.reset()
    sensor.problem = ""
    assert meter.energy_mj() == (None, "bus error")  # the window has no beginning
    meter.reset()
    clock.now_s = 10.0
    assert meter.energy_mj() == (0.0, "")


def test_a_window_with_a_failed_reading_stays_without_a_number() -> None:
    sensor, clock = Sensor(), Clock()
    meter = EnergyMeter(sensor, clock)
    sensor.problem, clock.now_s = "may have wrapped unnoticed", 5.0
    meter.energy_mj()

    sensor.problem = ""
    assert meter.energy_mj() == (None, "may have wrapped unnoticed")


def test_whatever_a_sensor_raises_is_a_reason() -> None:
    sensor = Sensor()
    meter = EnergyMeter(sensor, Clock())
    sensor.energy_mj = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]

    assert meter.energy_mj() == (None, "fake cannot be read: division by zero")
