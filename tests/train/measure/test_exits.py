from __future__ import annotations

from dataclasses import replace
from unittest.mock import ANY

import pytest
import torch

from spikehalt.errors import ConfigError
from spikehalt.exits import POLICIES, PolicyName
from tests.train.samples import lively_network, random_images, tiny_model
from train.data import Split
from train.measure.evaluate import evaluate
from train.measure.exits import (
    Trace,
    candidate_thresholds,
    exit_point,
    exit_steps,
    fewest_timesteps,
    normalised_entropy,
    record,
)


def trace() -> Trace:
    """Three images, three timesteps; the second is right only at the end."""
    return Trace(
        correct=torch.tensor([[1, 0, 1], [1, 0, 0], [1, 1, 1]]).bool(),
        halting=torch.tensor([[0.9, 0.1, 0.5], [1.5, 0.2, 0.8], [2.0, 0.3, 1.0]]),
        entropy=torch.tensor([[0.1, 0.9, 0.5], [0.05, 0.8, 0.2], [0.01, 0.7, 0.1]]),
        confidence=torch.tensor([[0.9, 0.2, 0.6], [0.95, 0.3, 0.8], [0.99, 0.4, 0.9]]),
        live_tokens=torch.tensor([[[4.0, 2.0], [2.0, 0.0], [0.0, 0.0]]] * 3),
        tokens=4,
    )


@pytest.mark.parametrize(
    ("policy", "threshold", "steps"),
    [
        ("halting", 0.8, [1, 3, 2]),
        ("halting", 5.0, [3, 3, 3]),
        ("entropy", 0.5, [1, 3, 1]),
        ("entropy", 0.0, [3, 3, 3]),
        ("confidence", 0.8, [1, 3, 2]),
        ("never", 0.0, [3, 3, 3]),
    ],
)
def test_an_image_exits_once_its_score_reaches_the_threshold(
    policy: str, threshold: float, steps: list[int]
) -> None:
    assert exit_steps(trace(), policy, threshold).tolist() == steps  # type: ignore[arg-type]


def test_figures_count_executed_timesteps_only() -> None:
    point = exit_point(trace(), "halting", 0.8)  # exits at 1, 3, 2
    assert point.accuracy == pytest.approx(2 / 3)
    assert point.average_timesteps == 2.0
    shares = [3 / 4, (3 + 1 + 0) / 3 / 4, (3 + 1) / 2 / 4]
    assert point.average_tokens == pytest.approx(sum(shares) / 3)


def test_never_is_what_evaluation_reports() -> None:
    config = tiny_model(halting="block_time")
    network = lively_network(config)
    split = Split(random_images(config, 9), torch.arange(9))
    found, point = (
        evaluate(network, split),
        exit_point(record(network, split, batch_size=4), "never"),
    )
    assert point.accuracy == pytest.approx(found.accuracy[-1])
    assert point.average_tokens == pytest.approx(found.average_tokens)
    assert point.average_timesteps == config.timesteps


def test_a_trace_holds_every_image_in_order_whatever_the_batch() -> None:
    config = tiny_model(halting="block_time")
    network = lively_network(config)
    split = Split(random_images(config, 7), torch.arange(7))
    one, many = record(network, split, batch_size=2), record(network, split)
    assert torch.equal(one.correct, many.correct) and one.correct.shape == (config.timesteps, 7)
    torch.testing.assert_close(one.entropy, many.entropy)
    assert torch.equal(one.live_tokens, many.live_tokens)
    assert one.live_tokens.shape == (7, config.timesteps, config.depth)


def test_a_larger_margin_lowers_tokens() -> None:
    config = tiny_model(halting="block_time")
    network = lively_network(config)
    split = Split(random_images(config, 7), torch.arange(7))
    points = [exit_point(record(network, split, epsilon=e), "never") for e in (0.0, 0.5, 0.9)]
    tokens = [point.average_tokens for point in points]
    assert tokens == sorted(tokens, reverse=True) and tokens[0] > tokens[-1]


def test_entropy_is_normalised_by_the_number_of_classes() -> None:
    even, sure = torch.full((1, 7), 1 / 7), torch.eye(7)[:1]
    assert normalised_entropy(even).item() == pytest.approx(1.0)
    assert normalised_entropy(sure).item() == 0.0


def test_the_chosen_threshold_keeps_the_accuracy() -> None:
    for policy in ("halting", "entropy", "confidence"):
        exact = fewest_timesteps(trace(), policy, max_drop=0.0)  # type: ignore[arg-type]
        loose = fewest_timesteps(trace(), policy, max_drop=1.0)  # type: ignore[arg-type]
        assert exact.accuracy == 1.0 and exact.average_timesteps == pytest.approx(5 / 3)
        assert loose.average_timesteps == 1.0


def overconfident_trace() -> Trace:
    """What is surest at t = 1 is wrong there: whoever leaves early loses accuracy."""
    surest = torch.tensor([[0.99, 0.98], [0.5, 0.6]])
    return Trace(
        correct=torch.tensor([[0, 0], [1, 1]]).bool(),
        halting=2 * surest,
        entropy=1 - surest,
        confidence=surest,
        live_tokens=torch.ones(2, 2, 1),
        tokens=1,
    )


@pytest.mark.parametrize("policy", ["halting", "entropy", "confidence", "never"])
def test_where_every_exit_costs_too_much_none_is_taken_on_any_split(policy: PolicyName) -> None:
    chosen = fewest_timesteps(overconfident_trace(), policy, max_drop=0.0)
    assert (chosen.policy, chosen.accuracy, chosen.average_timesteps) == (policy, 1.0, 2.0)
    elsewhere = exit_point(trace(), chosen.policy, chosen.threshold)
    assert elsewhere == replace(exit_point(trace(), "never"), policy=policy, threshold=ANY)
    assert chosen.threshold == POLICIES[policy].unreachable


@pytest.mark.parametrize("max_drop", [-0.01, float("nan")])
def test_a_drop_below_nothing_is_refused(max_drop: float) -> None:
    with pytest.raises(ConfigError, match=r"max_drop is .*, must be >= 0: the share of accuracy"):
        fewest_timesteps(trace(), "entropy", max_drop)


def test_candidates_span_what_was_seen() -> None:
    found = candidate_thresholds(trace(), "entropy", count=5)
    assert found[0] == pytest.approx(0.01) and found[-1] == pytest.approx(0.9)
    assert candidate_thresholds(trace(), "never") == [0.0]


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ConfigError, match="no exit policy 'sometimes'; there are halting, entropy"):
        exit_steps(trace(), "sometimes", 0.5)  # type: ignore[arg-type]


def test_a_pass_over_the_images_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    labels = torch.zeros(6, dtype=torch.int64)
    images = random_images(tiny_model(), 6)
    record(lively_network(tiny_model()), Split(images, labels), batch_size=2)
    shown = capsys.readouterr().err
    assert "evaluating" in shown and "3/3" in shown
