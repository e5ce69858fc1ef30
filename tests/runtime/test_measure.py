from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.bundle import Bundle, EnergySpec
from runtime.measure import Variant, measure, variants
from runtime.sensors import EnergyMeter
from spikehalt.errors import ConfigError
from tests.runtime.conftest import MakeBundle
from tests.runtime.sensors.fakes import Clock, Sensor

Images = NDArray[np.uint8]
EXIT: dict[str, Any] = {"policy": "halting", "threshold": 1.5}


@pytest.fixture
def engine(bundle: Bundle) -> Iterator[Engine]:
    with Engine(bundle, **EXIT) as engine:
        yield engine


def test_early_exit_is_measured_beside_all_timesteps_at_every_size() -> None:
    plan = variants([1, 4], True, EXIT, exits=True)

    assert [(each.name, each.batch) for each in plan] == [
        ("early exit", 1),
        ("all timesteps", 1),
        ("early exit", 4),
        ("all timesteps", 4),
        ("early exit", 0),
        ("all timesteps", 0),
    ]
    assert [each.name for each in variants([1], False, {}, exits=False)] == ["all timesteps"]


def test_figures_are_those_of_the_calls(engine: Engine, images: Images) -> None:
    expected = engine(images)
    plan = variants([4], True, EXIT, exits=True)

    early, full, streamed, _ = measure(engine, images, plan, rounds=2)

    for each in (early, streamed):
        assert each.average_timesteps == pytest.approx(expected.timesteps.mean())
        assert each.average_tokens == pytest.approx(expected.average_tokens.mean())
    assert full.average_timesteps == 4
    assert early.rounds == 2 and early.images_per_round == 12
    assert early.images_per_s == pytest.approx(1e3 / early.median_ms)
    assert early.energy_estimated_mj is None
    assert early.energy_note == "not asked for"


def test_a_batch_that_no_call_has_is_refused(engine: Engine, images: Images) -> None:
    with pytest.raises(ConfigError, match="batch of 64 needs as many images, and there are 12"):
        measure(engine, images, variants([64], False, EXIT, exits=True))


def test_every_call_has_the_batch_of_its_label(engine: Engine, images: Images) -> None:
    (found,) = measure(engine, images, variants([5], False, EXIT, exits=False), rounds=1)

    assert found.images_per_round == 10
    assert found.low_ms is None and found.high_ms is None


def test_the_median_of_rounds_is_given_with_its_quartiles(engine: Engine, images: Images) -> None:
    clock = Clock()
    durations = iter([0.012, 0.048, 0.024, 0.036, 0.060])
    calls = 0

    def ticking() -> float:
        nonlocal calls
        calls += 1
        if calls % 2 == 0:
            clock.now_s += next(durations)
        return clock.now_s

    (measured,) = measure(engine, images, [Variant("v", 12)], rounds=5, clock=ticking)

    assert measured.median_ms == pytest.approx(3.0)
    assert (measured.low_ms, measured.high_ms) == pytest.approx((2.0, 4.0))


def test_variants_take_turns(engine: Engine, images: Images) -> None:
    order: list[int] = []

    def watch(steps: Any, count: int) -> Iterator[int]:
        for step in steps:
            order.append(step)
            yield step
        assert count == len(order)

    measure(engine, images, [Variant("a", 12), Variant("b", 6)], rounds=3, ticking=watch)

    assert order == [0, 1, 0, 1, 0, 1]


class CountingSensor(Sensor):
    """Uses 10 mJ between any two readings; its window needs several rounds."""

    def energy_mj(self) -> float:
        self.total_mj += 10.0
        return self.total_mj


def test_the_energy_window_is_lengthened_to_what_the_sensor_needs(
    make_bundle: MakeBundle, images: Images
) -> None:
    spec = EnergySpec(once_mj=1, per_timestep_mj=0, per_token_mj=(0, 0), source="x")
    meter = EnergyMeter(CountingSensor(min_window_s=0.2))
    with Engine(make_bundle(energy=spec), **EXIT) as engine:
        (measured,) = measure(engine, images, [Variant("v", 12)], rounds=1, meter=meter)
        answered = engine.stats.images

    rounds = answered // 12 - 2  # without the warm-up and the timed round
    assert rounds > 1
    assert measured.energy_measured_mj == pytest.approx(10.0 / (12 * rounds))
    assert measured.energy_estimated_mj == pytest.approx(1.0)
    assert f"and {12 * rounds} images" in measured.energy_note


def test_without_a_working_sensor_the_reason_is_given(engine: Engine, images: Images) -> None:
    meter = EnergyMeter("rapl: readable by root only")

    (measured,) = measure(engine, images, [Variant("v", 12)], rounds=1, meter=meter)

    assert measured.energy_measured_mj is None
    assert measured.energy_note == "rapl: readable by root only"
