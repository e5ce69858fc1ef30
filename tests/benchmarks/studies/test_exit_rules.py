"""The simulated choice of exit thresholds: curves, choices, coverage."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.studies import exit_rules
from benchmarks.studies.exit_rules import DELTA, MAX_DROP, NETWORKS, SHARES, Network
from runtime.calibration import Point
from runtime.calibration.goal import RULES, Rule
from runtime.calibration.risk import shown_within


def curve(network: Network, images: int, seed: int = 0) -> list[Point]:
    return exit_rules._curve(network, images, np.random.default_rng(seed))


def chosen(monkeypatch: pytest.MonkeyPatch, *shares: float) -> None:
    """Every draw chooses the next of these."""
    found = iter(shares)
    monkeypatch.setattr(exit_rules, "chosen_share", lambda *_: next(found))


def test_counts_are_of_the_images_that_changed_before_the_share() -> None:
    counts = exit_rules._counts(np.array([0.52, 0.01, 0.98]))
    assert counts[0] == 0 and counts[1] == 1 and counts[-1] == 3
    assert counts[10] == 1 and counts[11] == 2  # shares 0.5 and 0.55
    assert (np.diff(counts) >= 0).all()


def test_no_image_changes_before_any_leaves() -> None:
    for network in NETWORKS:
        first = curve(network, 400)[0]
        assert (first.threshold, first.harmful, first.helpful) == (0.0, 0, 0)


def test_a_curve_has_a_point_per_share_and_each_image_that_leaves_saves_a_timestep() -> None:
    found = curve(NETWORKS[0], 100)
    assert [point.threshold for point in found] == pytest.approx(list(SHARES))
    assert [point.average_timesteps for point in found] == pytest.approx(list(2 - SHARES))
    assert {point.images for point in found} == {100}


@pytest.mark.parametrize("network", NETWORKS)
def test_changed_answers_grow_with_the_square_of_the_share(network: Network) -> None:
    images = 200_000
    found = curve(network, images)
    for share, point in zip(SHARES, found, strict=True):
        assert point.harmful / images == pytest.approx(network.harm * share**2, abs=2e-3)
        assert point.helpful / images == pytest.approx(network.help * share**2, abs=2e-3)


def test_a_network_that_exits_do_not_harm_has_no_harmed_image() -> None:
    assert all(point.harmful == 0 for point in curve(Network(0.0, 0.3), 500))
    assert all(point.helpful == 0 for point in curve(Network(0.3, 0.0), 500))


def test_an_image_is_harmed_or_helped_and_never_both() -> None:
    last = curve(Network(0.4, 0.6), 300)[-1]
    assert last.harmful + last.helpful == 300


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_chooses_the_last_share_before_the_first_that_it_cannot_show(rule: Rule) -> None:
    network, images = NETWORKS[1], 1500
    share = exit_rules.chosen_share(network, rule, images, np.random.default_rng(3))
    safe = [shown_within(p, MAX_DROP, DELTA, rule) for p in curve(network, images, seed=3)]
    assert share == SHARES[safe.index(False) - 1]


@pytest.mark.parametrize("rule", RULES)
def test_too_few_images_show_nothing_and_none_leaves(rule: Rule) -> None:
    assert exit_rules.chosen_share(Network(0.0, 0.0), rule, 20, np.random.default_rng(0)) == 0.0


@pytest.mark.parametrize("rule", RULES)
def test_all_leave_a_harmless_network(rule: Rule) -> None:
    assert exit_rules.chosen_share(Network(0.0, 0.0), rule, 1500, np.random.default_rng(0)) == 1.0


@pytest.mark.parametrize("network", NETWORKS)
def test_the_best_share_loses_at_most_the_allowed_drop_and_the_next_more(network: Network) -> None:
    best = exit_rules.simulate(network, RULES[0], 50, draws=1).best
    drop = network.harm - network.help
    assert drop * best**2 <= MAX_DROP
    assert best == SHARES[-1] or drop * (best + SHARES[1]) ** 2 > MAX_DROP


def test_coverage_is_the_share_of_draws_whose_true_drop_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Harm 2 %: a share of 0.7 loses 0.98 %, one of 0.75 loses 1.125 %."""
    chosen(monkeypatch, 0.5, 0.7, 0.75, 1.0)
    found = exit_rules.simulate(Network(0.02, 0.0), RULES[0], 10, draws=4)
    assert found.coverage == 0.5
    assert found.share == pytest.approx((0.5 + 0.7 + 0.75 + 1.0) / 4)
    assert found.best == pytest.approx(0.7)


def test_helped_images_pay_for_harmed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen(monkeypatch, 1.0, 1.0)
    found = exit_rules.simulate(Network(0.06, 0.055), RULES[0], 10, draws=2)
    assert (found.coverage, found.best) == (1.0, 1.0)


@pytest.mark.parametrize("rule", RULES)
def test_the_promise_holds_on_a_few_draws(rule: Rule) -> None:
    found = exit_rules.simulate(NETWORKS[0], rule, 800, draws=10)
    assert found.coverage >= 1 - DELTA
    assert 0 <= found.share <= found.best


def test_draws_are_the_same_for_every_call() -> None:
    again = [exit_rules.simulate(NETWORKS[0], RULES[0], 600, draws=3) for _ in range(2)]
    assert again[0] == again[1]


def test_a_row_names_the_network_and_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen(monkeypatch, 0.5)
    found = exit_rules.row(Network(0.06, 0.045), RULES[1], 10, draws=1)
    assert found.name == "6.0%, 4.5%"
    assert found.figures == {
        "rule": RULES[1], "share": 0.5, "best": pytest.approx(0.8), "coverage": 1.0
    }  # fmt: skip


def test_the_command_prints_every_network_under_every_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_rules.main(["--draws", "1", "--images", "60"]) == 0
    text = capsys.readouterr().out
    assert all(text.count(rule) == len(NETWORKS) for rule in RULES)
    assert "1 draws of 60 images; drop ≤ 1% with confidence 0.9" in text
