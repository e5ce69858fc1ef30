from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from runtime.calibration import Goal, Observed, Point, calibrate, risk
from runtime.results.trajectory import Trajectory
from tests.runtime.manifests import small_manifest

POINT = Point(
    policy="entropy",
    threshold=0.1,
    epsilon=0.0,
    images=1000,
    accuracy=0.9,
    harmful=0,
    helpful=0,
    average_timesteps=1.0,
    average_tokens=1.0,
    energy_mj=None,
    time_ms=None,
)


@pytest.mark.parametrize("images", [1, 10, 1000, 20000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 1.0])
@pytest.mark.parametrize("delta", [0.05, 0.001])
def test_binomial_bounds_are_clopper_and_pearsons(images: int, share: float, delta: float) -> None:
    count = round(images * share)
    high = 1.0 if count == images else stats.beta.ppf(1 - delta, count + 1, images - count)
    low = 0.0 if count == 0 else stats.beta.ppf(delta, count, images - count + 1)

    assert risk.upper(count, images, delta) == pytest.approx(high, rel=1e-6)
    assert risk.lower(count, images, delta) == pytest.approx(low, rel=1e-6)


def test_help_offsets_harm() -> None:
    assert risk.drop_bound(10, 10, 1000, 0.05) < risk.drop_bound(10, 0, 1000, 0.05)
    assert risk.drop_bound(0, 100, 1000, 0.05) < 0


def test_the_first_unsafe_point_stops_the_search() -> None:
    curve = [dataclasses.replace(POINT, harmful=harmful) for harmful in (0, 1, 50, 0)]

    assert risk.last_safe(curve, 0.02, 0.05) is curve[1]
    assert risk.last_safe(curve[2:], 0.02, 0.05) is None


@pytest.mark.parametrize(("max_drop", "delta"), [(0.005, 0.05), (0.02, 0.01)])
def test_the_number_of_images_needed_is_the_least_that_can_pass(
    max_drop: float, delta: float
) -> None:
    needed = risk.images_needed(max_drop, delta)

    assert risk.drop_bound(0, 0, needed, delta) <= max_drop
    assert risk.drop_bound(0, 0, needed - 1, delta) > max_drop


def draw(rng: np.random.Generator, images: int) -> Observed:
    """Two exit points; the share of images that the first gets wrong falls with its confidence.

    Confidence is uniform on [0.5, 1]; given it, the first answer is wrong with probability
    HARM · (1 − confidence), and right where the last is wrong with probability HELP.
    """
    confidence = rng.uniform(0.5, 1.0, images)
    last_right = rng.random(images) < 0.9
    harmed = rng.random(images) < HARM * (1 - confidence)
    helped = rng.random(images) < HELP
    first_right = np.where(last_right, ~harmed, helped)
    logit = np.log(confidence / (1 - confidence))
    logits = np.zeros((images, 2, 2), np.float32)
    rows = np.arange(images)
    logits[rows, 0, np.where(first_right, 1, 0)] = logit  # class 1 is right
    logits[rows, 1, last_right.astype(int)] = 9.0
    trajectory = Trajectory(
        logits=logits,
        halt_score=np.zeros((images, 2), np.float32),
        live_tokens=np.ones((images, 2, 2), np.int32),
    )
    manifest = small_manifest(timesteps=2, tokens=1, tokens_per_block=(1, 1), classes=("a", "b"))
    labels = np.ones(images, np.int64)
    return Observed(manifest=manifest, trajectory=trajectory, labels=labels, epsilon=0.01)


HARM, HELP = 0.3, 0.05


def true_drop(threshold: float | None) -> float:
    """Harm minus help over all images that leave at the first point."""
    assert threshold is not None
    share = (1 - threshold) / 0.5
    harm = 0.9 * share * HARM * (1 - threshold) / 2
    return harm - 0.1 * share * HELP


def test_the_promise_holds_for_new_images_as_often_as_promised() -> None:
    rng = np.random.default_rng(5)
    goal, draws = Goal(max_drop=0.02, confidence=0.9), 150
    promised, empirical = [], []
    for _ in range(draws):
        observed = draw(rng, 1000)
        found = calibrate(observed.manifest, [observed], goal, ["confidence"])
        within = [each for each in found.curves["confidence"] if each.drop <= 0.02]
        promised.append(true_drop(found.best.threshold))
        empirical.append(true_drop(min(within, key=lambda each: each.cost).threshold))

    broken = np.mean(np.array(promised) > 0.02)
    assert broken <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / draws)
    assert np.mean(promised) > 0.3 * 0.02  # and not by never leaving early
    assert np.mean(np.array(empirical) > 0.02) > 0.3  # the plain choice promises nothing
