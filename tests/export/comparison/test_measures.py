from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from export.comparison.measures import (
    TOLERANCES,
    Agreement,
    ExitRule,
    Tolerance,
    agreement,
    flipped_spikes,
)

RNG = np.random.default_rng(0)


def answers(**changes: Any) -> dict[str, Any]:
    """Of four images, two exit points, two neurons."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4, 2, 3)).astype(np.float32)
    logits[:, :, 0] += np.array([[0, 9], [9, 9], [0, 0], [9, 9]])
    return {
        "logits": logits,
        "halt_score": np.array([[0, 1], [1, 2], [0, 0], [2, 3]], np.float32),
        "live_tokens": np.full((4, 2, 3), 5, np.int32),
        "spike.block1.qkv_lif": rng.integers(0, 2, (4, 2, 50)).astype(np.uint8),
        "spike.block1.fc1_lif": rng.integers(0, 2, (4, 2, 150)).astype(np.uint8),
        **changes,
    }


def test_equal_answers_agree_fully() -> None:
    result = agreement(answers(), answers(), ExitRule(policy="halting", threshold=1.0))
    assert (result.top1, result.exits, result.flips, result.logit_largest) == (1, 1, 0, 0)
    assert result.images == 4 and result.live_tokens == 0
    assert not result.violations(Tolerance(top1=1, exits=1, flips=0, logits=0))


def test_the_class_is_that_of_the_last_exit_point() -> None:
    other = answers()
    other["logits"] = other["logits"].copy()
    other["logits"][0, 1, 0] -= 99  # image 0 changes its last class
    other["logits"][1, 0, 0] -= 99  # image 1 its first alone
    assert agreement(answers(), other, ExitRule()).top1 == 0.75


def test_exits_are_compared_under_a_policy_and_not_under_never() -> None:
    other = answers(halt_score=np.array([[1, 1], [1, 2], [0, 0], [2, 3]], np.float32))
    rule = ExitRule(policy="halting", threshold=1.0)
    assert agreement(answers(), other, rule).exits == 0.75
    assert agreement(answers(), other, ExitRule()).exits is None


def test_flips_count_over_all_neurons_and_name_the_worst() -> None:
    other = answers()
    spikes = other["spike.block1.qkv_lif"].copy()
    spikes[0, 0, :20] ^= 1
    other["spike.block1.qkv_lif"] = spikes
    total, worst, share = flipped_spikes(answers(), other)
    assert total == pytest.approx(20 / (4 * 2 * 200))
    assert (worst, share) == ("block1.qkv_lif", 20 / (4 * 2 * 50))


def test_spikes_seen_for_fewer_images_are_compared_on_those() -> None:
    other = answers()
    short = {n: a[:2] if n.startswith("spike.") else a for n, a in other.items()}
    assert flipped_spikes(answers(), short)[0] == 0


def test_a_runner_that_shows_no_spikes_is_judged_without() -> None:
    blind = {n: a for n, a in answers().items() if not n.startswith("spike.")}
    result = agreement(answers(), blind, ExitRule())
    assert (result.flips, result.worst_neuron) == (None, None)
    assert not result.violations(TOLERANCES["fp32"])


def test_live_tokens_and_logits_are_mean_and_median_errors() -> None:
    tokens = answers()["live_tokens"].copy()
    tokens[0, 0, 0] -= 3
    logits = answers()["logits"].copy()
    logits[0, 0, 0] += 7
    result = agreement(answers(), answers(live_tokens=tokens, logits=logits), ExitRule())
    assert result.live_tokens == pytest.approx(3 / 24)
    assert result.logit_median == 0 and result.logit_largest == pytest.approx(7, rel=1e-5)


GOOD = Agreement(
    images=10, top1=1.0, exits=1.0, live_tokens=0.0, flips=0.0, worst_neuron="n", worst_flips=0.0,
    logit_median=0.0, logit_largest=0.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"top1": 0.98}, "top-1 agreement 0.9800 is below 0.99"),
        ({"exits": 0.5}, "exit agreement 0.5000 is below 0.98"),
        ({"flips": 0.1}, "share of flipped spikes 0.1 is above 0.002"),
        ({"logit_median": 2.0}, "median logit error 2 is above 0.01"),
        ({"logit_median": float("nan")}, "median logit error nan is above 0.01"),
    ],
)
def test_what_is_beyond_the_tolerance_is_said(change: dict[str, Any], complaint: str) -> None:
    assert dataclasses.replace(GOOD, **change).violations(TOLERANCES["fp32"]) == [complaint]
