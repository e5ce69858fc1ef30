from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine, Manifest, engine
from runtime.backends.registry import ChunkOutputs
from runtime.bundle import EnergySpec, ExitSpec
from runtime.early_exit import loop
from runtime.early_exit.control import Controller
from runtime.early_exit.settings import Settings
from runtime.errors import BundleFormatError, PolicyError
from runtime.testing import ReplaySession
from spikehalt.errors import ConfigError
from tests.runtime.conftest import MakeBundle
from tests.runtime.sensors.fakes import Clock
from tests.runtime.toy import toy_manifest

Images = NDArray[np.uint8]
ENERGY = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")
LEVELS = [
    {"policy": "halting", "threshold": threshold, "epsilon": epsilon}
    for threshold, epsilon in [(8.0, 0.01), (2.0, 0.01), (1.0, 0.01), (0.5, 0.1), (0.05, 0.3)]
]


def steerable(**changes: Any) -> Manifest:
    spec = ExitSpec(default="halting", halting=1.0, calibration={"levels": LEVELS})
    return toy_manifest(**{"exit": spec, "energy": ENERGY, **changes})


def settings(count: int) -> list[Settings]:
    return [
        Settings(policy="entropy", threshold=0.01 * n, epsilon=0.0, max_timesteps=4)
        for n in range(count)
    ]


def plant(
    controller: Controller, levels: list[Settings], loads: list[float], rng: np.random.Generator
) -> tuple[list[float], list[int]]:
    """Values a machine gives: dear at level 0, a quarter of that at the last, times its load."""
    values, used = [], []
    for load in loads:
        level = levels.index(controller.settings)
        value = load * (1.0 - 0.75 * level / (len(levels) - 1)) * rng.lognormal(0.0, 0.1)
        controller.move(value)
        values.append(value)
        used.append(level)
    return values, used


def test_the_90th_percentile_settles_at_the_target_after_load_steps() -> None:
    levels, rng = settings(32), np.random.default_rng(0)
    controller = Controller("latency_ms", 10.0, levels)
    loads = [12.0] * 600 + [24.0] * 600 + [12.0] * 600

    values, used = plant(controller, levels, loads, rng)

    for end in (600, 1200, 1800):  # each phase has 200 calls to settle
        p90 = float(np.percentile(values[end - 400 : end], 90))
        assert p90 == pytest.approx(10.0, rel=0.1)
    assert np.mean(used[800:1200]) > np.mean(used[200:600]) + 5
    assert np.mean(used[1400:1800]) < np.mean(used[800:1200]) - 5


def test_the_mean_energy_settles_at_the_target() -> None:
    levels, rng = settings(32), np.random.default_rng(1)
    controller = Controller("energy_mj", 10.0, levels)

    values, _ = plant(controller, levels, [14.0] * 500 + [28.0] * 500, rng)

    assert np.mean(values[200:500]) == pytest.approx(10.0, rel=0.03)
    assert np.mean(values[700:]) == pytest.approx(10.0, rel=0.03)


def test_a_load_spike_is_answered_within_as_many_calls_as_it_takes_to_cross() -> None:
    levels = settings(32)
    controller = Controller("latency_ms", 10.0, levels)
    for _ in range(23):
        controller.move(1e9)

    state = controller.state
    assert state.level == 31 and state.saturated
    controller.move(1.0)
    assert not controller.state.saturated


def test_the_most_accurate_level_is_used_while_there_is_time() -> None:
    controller = Controller("latency_ms", 10.0, settings(32))
    for _ in range(100):
        controller.move(1.0)

    assert controller.state.level == 0 and not controller.state.saturated


def test_one_level_leaves_nothing_to_steer() -> None:
    controller = Controller("latency_ms", 10.0, settings(1))
    controller.move(100.0)

    assert controller.state.level == 0 and controller.state.saturated


class SlowSession:
    """A replay that takes time on a fake clock: so much per image and chunk."""

    def __init__(self, inner: ReplaySession, clock: Clock) -> None:
        self.inner, self.info, self.clock, self.load_ms = inner, inner.info, clock, 1.0
        self.epsilons: list[float] = []

    def run(self, inputs: Any, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        step = self.inner.run(inputs, states, last=last, masks=masks)
        self.clock.now_s += 1e-3 * self.load_ms * len(step.logits)
        self.epsilons.append(float(inputs["epsilon"]))
        return step

    def close(self) -> None:
        pass


@pytest.fixture
def slow(make_bundle: MakeBundle, images: Images, monkeypatch: pytest.MonkeyPatch) -> SlowSession:
    with Engine(make_bundle()) as real:
        recording = real.record(images)
    clock = Clock()
    for module in (engine, loop):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock))
    return SlowSession(ReplaySession(steerable(), recording), clock)


def test_an_engine_holds_its_latency_under_a_load_step_within_the_calibrated_range(
    slow: SlowSession, images: Images
) -> None:
    manifest = dataclasses.replace(steerable(), live_masks=False)
    allowed = {(level["threshold"], level["epsilon"]) for level in LEVELS}
    latencies: list[float] = []
    with Engine(manifest, backend=slow, latency_ms=30.0) as steered:
        for load_ms in (0.8, 1.6, 0.8):
            slow.load_ms = load_ms
            for _ in range(200):
                used = steered.settings
                assert (used.threshold, used.epsilon) in allowed
                begin = slow.clock.now_s
                steered(images)
                latencies.append(1e3 * (slow.clock.now_s - begin))
        control = steered.control

    slowest = 1.6 * 48  # all timesteps under the heavier load
    assert max(latencies[250:400]) < slowest
    for end in (200, 400, 600):
        share = np.mean(np.array(latencies[end - 100 : end]) > 30.0)
        assert share <= 0.15
    assert control is not None and control.kind == "latency_ms" and control.levels == 5
    assert {round(each, 2) for each in slow.epsilons} <= {0.01, 0.1, 0.3}


def test_an_engine_holds_its_energy(slow: SlowSession, images: Images) -> None:
    with Engine(steerable(), backend=slow, policy="never") as full:
        energies = full(images).energy_mj
    assert energies is not None
    target = 0.7 * float(energies.mean())

    with Engine(steerable(), backend=slow, energy_mj=target) as steered:
        used = [steered(images).energy_mj for _ in range(150)]

    means = [float(each.mean()) for each in used if each is not None]
    assert np.mean(means[50:]) == pytest.approx(target, rel=0.05)


def test_an_engine_holds_its_energy_when_the_images_change_within_the_calibrated_range(
    make_bundle: MakeBundle,
) -> None:
    allowed = {(level["threshold"], level["epsilon"]) for level in LEVELS}
    rng = np.random.default_rng(0)
    easy, hard = (rng.integers(0, high, (6, 4, 4, 3), np.uint8) for high in (250, 90))
    energies: list[float] = []
    levels: list[int] = []
    with Engine(make_bundle(exit=steerable().exit, energy=ENERGY), energy_mj=3.0) as steered:
        for shown in (easy, hard, easy):
            for _ in range(150):
                used = steered.settings
                assert (used.threshold, used.epsilon) in allowed
                assert steered.control is not None
                levels.append(steered.control.level)
                energy = steered(shown).energy_mj
                assert energy is not None
                energies.append(float(energy.mean()))

    for end in (150, 300, 450):
        assert np.mean(energies[end - 100 : end]) == pytest.approx(3.0, rel=0.05)
    first, second, third = (np.mean(levels[end - 100 : end]) for end in (150, 300, 450))
    assert second > first + 0.5 and second > third + 0.5


def test_calls_with_their_own_settings_do_not_steer(slow: SlowSession, images: Images) -> None:
    with Engine(steerable(), backend=slow, latency_ms=0.001) as steered:
        for _ in range(10):
            steered(images, policy="never")
        assert steered.control is not None and steered.control.level == 0
        steered(images)
        assert steered.control.level > 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"latency_ms": 1.0, "energy_mj": 1.0}, ConfigError, "exclude each other"),
        ({"latency_ms": 0.0}, ConfigError, "positive number"),
        ({"latency_ms": float("inf")}, ConfigError, "positive number"),
        ({"energy_mj": "1"}, ConfigError, "positive number"),
        ({"latency_ms": 1.0, "policy": "entropy"}, ConfigError, "steers policy itself"),
        ({"latency_ms": 1.0, "epsilon": 0.1}, ConfigError, "steers epsilon itself"),
    ],
)
def test_targets_that_make_no_sense_are_refused(
    slow: SlowSession, options: dict[str, Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        Engine(steerable(), backend=slow, **options)


def test_a_bundle_without_levels_cannot_be_steered(slow: SlowSession) -> None:
    with pytest.raises(PolicyError, match="python -m runtime calibrate"):
        Engine(toy_manifest(), backend=slow, latency_ms=1.0)


def test_damaged_levels_are_named(slow: SlowSession) -> None:
    spec = ExitSpec(calibration={"levels": [{"policy": "halting"}]})

    with pytest.raises(BundleFormatError, match="calibrate again"):
        Engine(toy_manifest(exit=spec), backend=slow, latency_ms=1.0)


def test_energy_needs_the_bundles_constants(slow: SlowSession) -> None:
    with pytest.raises(ConfigError, match="no energy constants"):
        Engine(steerable(energy=None), backend=slow, energy_mj=1.0)
