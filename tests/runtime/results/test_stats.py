from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.backends import registry
from runtime.bundle import Bundle, EnergySpec
from runtime.errors import InputError
from runtime.results.stats import StatsKeeper
from runtime.results.timing import ChunkTime, Timings
from runtime.sensors import EnergyMeter
from spikehalt.errors import ConfigError
from tests.runtime.conftest import MakeBundle
from tests.runtime.sensors.fakes import Clock, Sensor

Images = NDArray[np.uint8]
ENERGY = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")


def test_an_engine_not_yet_used_has_reasons_and_no_zeros(bundle: Bundle) -> None:
    with Engine(bundle) as engine:
        stats = engine.stats

    figures = dataclasses.asdict(stats)
    missing = {name for name, value in figures.items() if value is None} - {"energy_sensor"}
    assert (stats.calls, stats.images) == (0, 0)
    assert missing == set(stats.reasons)
    assert len(missing) == 13
    assert stats.reasons["energy_estimated_mj"] == "no image yet"


def test_figures_describe_the_calls(make_bundle: MakeBundle, images: Images) -> None:
    with Engine(make_bundle(energy=ENERGY), policy="halting", threshold=1.5) as engine:
        results = [engine(images), engine(images[:5])]
        stats = engine.stats

    timesteps = np.concatenate([each.timesteps for each in results])
    tokens = np.concatenate([each.average_tokens for each in results])
    energies = [each.energy_mj for each in results if each.energy_mj is not None]
    assert (stats.calls, stats.images) == (2, 17)
    assert stats.average_timesteps == pytest.approx(timesteps.mean())
    assert stats.average_tokens == pytest.approx(tokens.mean())
    assert stats.energy_estimated_mj == pytest.approx(np.concatenate(energies).mean())
    assert stats.latency_p50_ms is not None and stats.latency_p99_ms is not None
    assert 0 < stats.latency_p50_ms <= stats.latency_p99_ms
    # Of a toy, what is done once can be too short to be told from the clock's noise.
    assert set(stats.reasons) - {"once_ms"} == {"energy_measured_mj"}


def test_times_are_per_image_that_took_part(make_bundle: MakeBundle, images: Images) -> None:
    with Engine(make_bundle(), policy="never") as engine:
        result = engine(images)
    clock = Clock()
    keeper = StatsKeeper(EnergyMeter("none"), clock)
    chunks = [ChunkTime(0, 12, 0.12), ChunkTime(1, 6, 0.03), ChunkTime(2, 4, 0.02)]
    keeper.begin()
    clock.now_s = 0.2
    keeper.add(Timings(pre_s=0.012, total_s=0.194, chunks=chunks), result)
    keeper.end()

    stats = keeper.snapshot()

    assert stats.pre_ms == pytest.approx(1.0)
    assert stats.first_chunk_ms == pytest.approx(10.0)
    assert stats.next_chunk_ms == pytest.approx(5.0)
    assert stats.once_ms == pytest.approx(5.0)
    assert stats.exit_ms == pytest.approx(1.0)
    assert stats.images_per_s == pytest.approx(60.0)
    assert stats.latency_p90_ms == pytest.approx(194.0)


def test_overlapping_calls_count_their_time_once() -> None:
    clock = Clock()
    keeper = StatsKeeper(EnergyMeter("none"), clock)
    for begin in (True, True, False, False):
        (keeper.begin if begin else keeper.end)()
        clock.now_s += 1.0

    assert keeper._sums.busy_s == pytest.approx(3.0)


def test_calls_that_fail_are_not_counted(bundle: Bundle, images: Images) -> None:
    with Engine(bundle) as engine:
        with pytest.raises(InputError):
            engine(images[:0])
        assert engine.stats.calls == 0
        engine(images)
        assert engine.stats.calls == 1


def test_figures_can_be_reset(bundle: Bundle, images: Images) -> None:
    with Engine(bundle) as engine:
        engine(images)
        engine.reset_stats()
        assert engine.stats.calls == 0
        engine(images[:2])
        assert engine.stats.images == 2


def test_counting_is_safe_between_threads(bundle: Bundle, images: Images) -> None:
    with Engine(bundle) as engine:
        threads = [
            threading.Thread(target=lambda: [engine(images[:2]) for _ in range(20)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (engine.stats.calls, engine.stats.images) == (80, 160)


class LockWithAWriterBehind:
    """A lock; whenever it opens, `write` runs before whoever held it goes on."""

    def __init__(self, write: Callable[[], None]) -> None:
        self._lock, self._write, self._writing = threading.Lock(), write, False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if not self._writing:
            self._writing = True
            self._write()
            self._writing = False


def test_a_call_that_ends_during_a_snapshot_is_in_it_wholly_or_not_at_all(
    bundle: Bundle, images: Images
) -> None:
    with Engine(bundle, policy="never") as engine:
        result = engine(images)
    sensor = Sensor(min_window_s=0.0)
    keeper = StatsKeeper(EnergyMeter(sensor), Clock())
    keeper.add(Timings(total_s=0.1), result)
    sensor.total_mj += 60.0
    writer = LockWithAWriterBehind(lambda: keeper.add(Timings(total_s=0.1), result))
    keeper._lock = writer  # type: ignore[assignment]

    stats = keeper.snapshot()

    assert (stats.calls, stats.images) == (1, 12)
    assert stats.average_timesteps == 4.0
    assert stats.energy_measured_mj == pytest.approx(60.0 / 12)
    assert keeper.snapshot().calls == 2


def test_measured_energy_is_per_image(bundle: Bundle, images: Images) -> None:
    sensor = Sensor(min_window_s=0.0)
    with Engine(bundle, energy_sensor=sensor) as engine:
        assert engine.stats.reasons["energy_measured_mj"] == "no image yet"
        engine(images)
        sensor.total_mj += 60.0
        stats = engine.stats

    assert stats.energy_measured_mj == pytest.approx(5.0)
    assert stats.energy_sensor == "fake"
    assert sensor.closed


def test_a_window_too_short_for_the_sensor_is_refused(bundle: Bundle, images: Images) -> None:
    with Engine(bundle, energy_sensor=Sensor(min_window_s=1e6)) as engine:
        engine(images)
        stats = engine.stats

    assert stats.energy_measured_mj is None
    assert "too short for fake, which needs 1e+06 s" in stats.reasons["energy_measured_mj"]


def test_energy_is_measured_only_when_asked_for(bundle: Bundle, images: Images) -> None:
    with Engine(bundle) as engine:
        engine(images)
        assert "energy_sensor='auto'" in engine.stats.reasons["energy_measured_mj"]


def test_an_unknown_sensor_is_refused_before_anything_is_loaded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []
    monkeypatch.setattr(registry, "open_session", lambda *opened: loaded.append(opened))

    with pytest.raises(ConfigError, match="did you mean 'nvml'"):
        Engine(bundle, energy_sensor="nvlm")
    assert loaded == []


def test_a_fully_unrolled_bundle_has_no_second_chunk_to_time(
    make_bundle: MakeBundle, images: Images
) -> None:
    with Engine(make_bundle(chunk=4)) as engine:
        engine(images)
        stats = engine.stats

    assert stats.next_chunk_ms is None and stats.once_ms is None
    assert "second chunk" in stats.reasons["once_ms"]
