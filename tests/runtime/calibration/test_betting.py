from __future__ import annotations

import numpy as np
import pytest

from benchmarks import exit_rules
from runtime.calibration import Goal, betting, calibrate
from runtime.calibration.goal import RULES
from spikehalt.errors import ConfigError
from tests.runtime.calibration.test_risk import draw, true_drop


def test_more_harm_needs_a_larger_drop_and_help_offsets_it() -> None:
    assert betting.shown_within(5, 0, 1000, 0.03, 0.05)
    assert not betting.shown_within(40, 0, 1000, 0.03, 0.05)
    assert betting.shown_within(40, 40, 1000, 0.03, 0.05)


@pytest.mark.parametrize(("max_drop", "delta"), [(0.005, 0.05), (0.02, 0.01)])
def test_the_number_of_images_needed_is_the_least_that_can_pass(
    max_drop: float, delta: float
) -> None:
    needed = betting.images_needed(max_drop, delta)
    assert betting.shown_within(0, 0, needed, max_drop, delta)
    assert not betting.shown_within(0, 0, needed - 1, max_drop, delta)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no rule 'hope'; there are learn-then-test"):
        Goal(max_drop=0.01, confidence=0.9, rule="hope")  # type: ignore[arg-type]


def test_a_calibration_follows_its_rule_and_names_it() -> None:
    observed = draw(np.random.default_rng(0), 1000)
    goal = Goal(max_drop=0.05, confidence=0.9, rule="upper-confidence-bound")
    found = calibrate(observed.manifest, [observed], goal, ["confidence"])
    assert found.record()["method"] == "upper-confidence-bound"
    assert true_drop(found.best.threshold) <= 0.05


def test_the_bound_by_betting_lets_more_images_leave_and_keeps_its_promise() -> None:
    network = exit_rules.Network(harm=0.06, help=0.045)
    exact, by_betting = (exit_rules.simulate(network, rule, 1500, 1000) for rule in RULES)
    assert min(exact.coverage, by_betting.coverage) >= 1 - exit_rules.DELTA
    assert exact.share + 0.03 < by_betting.share < by_betting.best
