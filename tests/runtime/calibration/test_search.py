from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine, Manifest
from runtime.bundle import Bundle, EnergySpec, HaltingSpec
from runtime.calibration import Goal, Observed, calibrate
from runtime.errors import CalibrationError, PolicyError
from spikehalt.errors import ConfigError
from tests.runtime.conftest import MakeBundle

ENERGY = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")
Images = NDArray[np.uint8]


@pytest.fixture(scope="module")
def many() -> Images:
    """Images of one colour under noise that hides it for dark ones."""
    rng = np.random.default_rng(3)
    pictures = rng.integers(0, 60, (150, 4, 4, 3))
    pictures[np.arange(150), :, :, np.arange(150) % 3] += np.linspace(0, 150, 150).astype(int)[
        :, None, None
    ]
    return pictures.astype(np.uint8)


@pytest.fixture
def energy_bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(energy=ENERGY)


def observe(bundle: Bundle, images: Images, epsilon: float = 0.01) -> Observed:
    """Right answers: what all timesteps answer at ε 0.01, but for every 15th image."""
    with Engine(bundle) as engine:
        trajectory = engine.record(images, epsilon=epsilon)
        labels = engine(images, epsilon=0.01).labels
    labels[::15] = (labels[::15] + 1) % 3
    return Observed(manifest=bundle.manifest, trajectory=trajectory, labels=labels, epsilon=epsilon)


def unsure(observed: Observed) -> Observed:
    """The same with early answers disturbed, so that leaving early costs accuracy."""
    rng = np.random.default_rng(7)
    logits = observed.trajectory.logits
    fading = np.array([1.5, 0.8, 0.3, 0.0], np.float32)[:, None]
    noise = rng.standard_normal(logits.shape).astype(np.float32) * fading
    disturbed = dataclasses.replace(observed.trajectory, logits=logits + noise)
    return dataclasses.replace(observed, trajectory=disturbed)


@pytest.fixture
def noisy(energy_bundle: Bundle, many: Images) -> Observed:
    observed = unsure(observe(energy_bundle, many))
    assert (~observed.correct[:, 0] & observed.correct[:, 3]).sum() > 15
    return observed


@pytest.mark.parametrize("policy", ["halting", "entropy", "confidence"])
def test_a_point_says_what_the_engine_then_does(
    energy_bundle: Bundle, many: Images, policy: str
) -> None:
    observed = observe(energy_bundle, many)
    threshold = {"halting": 1.5, "entropy": 0.8, "confidence": 0.6}[policy]
    point = observed.point(policy, threshold, observed.correct[:, -1])

    with Engine(energy_bundle, policy=policy, threshold=threshold) as engine:
        result = engine(many)

    assert len(set(result.timesteps)) > 1
    assert point.average_timesteps == pytest.approx(result.timesteps.mean())
    assert point.average_tokens == pytest.approx(result.average_tokens.mean())
    assert result.energy_mj is not None
    assert point.energy_mj == pytest.approx(result.energy_mj.mean())
    assert point.accuracy == pytest.approx((result.labels == observed.labels).mean())


def test_grids_run_from_leaving_nobody_to_leaving_everybody(
    energy_bundle: Bundle, many: Images
) -> None:
    observed = observe(energy_bundle, many)
    for policy in ("halting", "entropy", "confidence"):
        curve = observed.curve(policy, observed.correct[:, -1])
        timesteps = [point.average_timesteps for point in curve]

        assert timesteps[0] > 3.9 and timesteps[-1] == 1.0
        assert timesteps == sorted(timesteps, reverse=True)


def test_grids_depend_on_nothing_measured(energy_bundle: Bundle, many: Images) -> None:
    few, other = (observe(energy_bundle, many[part]) for part in (slice(5), slice(5, 10)))
    first = {"halting": 8.0, "entropy": 0.0, "confidence": 1.0}  # L·T is 8
    for policy, threshold in first.items():
        grids = [
            [point.threshold for point in each.curve(policy, each.correct[:, -1])]
            for each in (few, other)
        ]
        assert grids[0] == grids[1] and grids[0][0] == threshold


def test_the_cheapest_point_within_the_drop_is_chosen(noisy: Observed) -> None:
    found = calibrate(noisy.manifest, [noisy], Goal(max_drop=0.02))

    for policy, point in found.chosen.items():
        cheaper = [each for each in found.curves[policy] if each.cost < point.cost]
        assert point.drop <= 0.02
        assert cheaper and all(each.drop > 0.02 for each in cheaper)
    assert found.best.cost == min(point.cost for point in found.chosen.values())
    assert 1 < found.best.average_timesteps < 4


def test_a_target_of_timesteps_is_reached_with_the_best_accuracy(noisy: Observed) -> None:
    found = calibrate(noisy.manifest, [noisy], Goal(timesteps=2.5))

    for policy, point in found.chosen.items():
        fast = [each for each in found.curves[policy] if each.average_timesteps <= 2.5]
        assert point.average_timesteps <= 2.5
        assert point.accuracy == max(each.accuracy for each in fast)


def test_epsilon_can_be_chosen_jointly(energy_bundle: Bundle, many: Images) -> None:
    observed = [observe(energy_bundle, many, epsilon) for epsilon in (0.01, 0.5, 0.9)]
    alone = calibrate(energy_bundle.manifest, observed[:1], Goal(max_drop=0.02))
    found = calibrate(energy_bundle.manifest, observed, Goal(max_drop=0.02))

    assert found.reference.epsilon == 0.01
    assert found.best.epsilon in (0.5, 0.9)  # the toy's answers do not depend on ε: fewer tokens
    assert found.best.cost < alone.best.cost
    assert {point.epsilon for point in found.chosen.values()} == {found.best.epsilon}
    assert found.apply(energy_bundle.manifest).halting.epsilon == found.best.epsilon


def test_the_manifest_gets_thresholds_and_how_they_were_found(noisy: Observed) -> None:
    found = calibrate(noisy.manifest, [noisy], Goal(max_drop=0.02))
    manifest = Manifest.from_json(found.apply(noisy.manifest, "digits").to_json())

    assert manifest.exit.default == found.default
    assert manifest.exit.threshold(found.default) == found.best.threshold
    record = json.loads(json.dumps(manifest.exit.calibration))
    assert record["data"] == "digits" and record["method"] == "empirical drop"
    assert record["reference"]["images"] == 150
    assert record["levels"][-1]["threshold"] == found.best.threshold


def test_levels_get_cheaper_and_stay_within_the_goal(noisy: Observed) -> None:
    found = calibrate(noisy.manifest, [noisy], Goal(max_drop=0.02))
    costs = [level.cost for level in found.levels]

    assert 1 < len(costs) <= 32
    assert costs == sorted(costs, reverse=True)
    assert all(level.drop <= 0.02 for level in found.levels)
    assert found.levels[-1] == found.best


@pytest.mark.parametrize("timesteps", [2.0, 2.5, 4.0])
def test_levels_stay_within_a_target_of_timesteps(noisy: Observed, timesteps: float) -> None:
    other = dataclasses.replace(unsure(noisy), epsilon=0.5)
    found = calibrate(noisy.manifest, [noisy, other], Goal(timesteps=timesteps))

    assert all(level.average_timesteps <= timesteps for level in found.levels)
    assert found.levels[-1] == found.best


def test_a_promise_needs_enough_images(noisy: Observed) -> None:
    goal = Goal(max_drop=0.005, confidence=0.95)

    with pytest.raises(CalibrationError, match=r"150 images cannot support .* at least 838 images"):
        calibrate(noisy.manifest, [noisy], goal)


def test_a_promise_is_shared_among_all_choices(noisy: Observed) -> None:
    goal = Goal(max_drop=0.06, confidence=0.9)
    one = calibrate(noisy.manifest, [noisy], goal, ["confidence"])
    three = calibrate(noisy.manifest, [noisy], goal)

    assert three.chosen["confidence"].average_timesteps > one.best.average_timesteps


def test_a_drop_nobody_can_keep_is_said(noisy: Observed) -> None:
    logits = noisy.trajectory.logits.copy()
    logits[:, 0] = np.eye(3, dtype=np.float32)[(noisy.labels + 1) % 3] * 1e4  # sure, and wrong
    sure = dataclasses.replace(noisy.trajectory, logits=logits)
    observed = dataclasses.replace(noisy, trajectory=sure)

    with pytest.raises(CalibrationError, match=r"within 1\.00%, the least is [89]\d\."):
        calibrate(noisy.manifest, [observed], Goal(max_drop=0.01), ["entropy", "confidence"])


def test_no_halting_threshold_for_models_that_do_not_halt(
    make_bundle: MakeBundle, many: Images
) -> None:
    bundle = make_bundle(halting=HaltingSpec(mode="none"))
    observed = observe(bundle, many)

    assert "halting" not in calibrate(bundle.manifest, [observed], Goal(max_drop=0.02)).chosen
    with pytest.raises(PolicyError, match="trained with halting"):
        calibrate(bundle.manifest, [observed], Goal(max_drop=0.02), ["halting"])


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        (["foo"], "policy with a threshold 'foo'.*halting"),
        (["entropi"], "did you mean 'entropy'"),
        (["entropy", "never"], "'never'"),
        ([], "no policy to calibrate: name some of halting"),
    ],
)
def test_policies_without_a_threshold_are_refused(
    noisy: Observed, policies: list[str], message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        calibrate(noisy.manifest, [noisy], Goal(max_drop=0.02), policies)


def test_fewer_timesteps_than_one_chunk_cannot_be_reached(
    make_bundle: MakeBundle, many: Images
) -> None:
    bundle = make_bundle(chunk=2)
    observed = observe(bundle, many)

    with pytest.raises(CalibrationError, match="the least is 2"):
        calibrate(bundle.manifest, [observed], Goal(timesteps=1.5))


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ({}, "exactly one"),
        ({"max_drop": 0.1, "timesteps": 2.0}, "exactly one"),
        ({"max_drop": 1.0}, r"not in \[0, 1\)"),
        ({"max_drop": float("nan")}, r"not in \[0, 1\)"),
        ({"timesteps": 0.5}, "below 1"),
        ({"timesteps": 2.0, "confidence": 0.9}, "promise about max_drop"),
        ({"max_drop": 0.0, "confidence": 0.9}, "above 0"),
        ({"max_drop": 0.1, "confidence": 1.0}, "between 0 and 1"),
    ],
)
def test_goals_that_make_no_sense_are_refused(goal: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Goal(**goal)


def test_every_image_needs_a_label(energy_bundle: Bundle, many: Images) -> None:
    observed = observe(energy_bundle, many)

    with pytest.raises(CalibrationError, match="150 images and 3 labels"):
        Observed(
            manifest=observed.manifest,
            trajectory=observed.trajectory,
            labels=observed.labels[:3],
            epsilon=0.01,
        )
