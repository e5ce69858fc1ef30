"""Exit policies, and that runtime and training do the same with them."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from runtime.results.scores import Scores, first_exit, should_exit
from runtime.results.trajectory import Trajectory
from spikehalt.exits import (
    CALIBRATED,
    CONFIDENCE,
    ENTROPY,
    HALTING,
    MAX_HALT_SCORE,
    NEVER,
    POLICIES,
    ExitPolicy,
    PolicyName,
    calibrated_names,
    single,
)
from train.measure.exits import Trace, exit_steps, normalised_entropy

ROOT = Path(__file__).parents[2]
NAMES = set(POLICIES)
SHAPES = (ast.Compare, ast.Dict, ast.Tuple, ast.List, ast.Set, ast.MatchValue)
SOURCES = [
    path
    for folder in ("spikehalt", "runtime", "train", "export", "plugins", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != ROOT / "spikehalt" / "exits.py"
]
with_threshold = pytest.mark.parametrize("policy", CALIBRATED, ids=lambda each: each.name)


def test_every_policy_has_a_name_that_users_can_write() -> None:
    assert tuple(POLICIES) == get_args(PolicyName) == ("halting", "entropy", "confidence", "never")
    assert all(policy.name == name for name, policy in POLICIES.items())


def test_the_documentation_lists_every_policy() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "runtime.md").read_text(), re.M)
    assert [name for name in rows if name in NAMES] == list(POLICIES)


def test_only_never_has_nothing_to_calibrate_and_only_halting_needs_it() -> None:
    assert [policy.name for policy in CALIBRATED] == ["halting", "entropy", "confidence"]
    assert not NEVER.has_threshold
    assert calibrated_names("block") == calibrated_names("block_time") == list(POLICIES)[:3]
    assert calibrated_names("none") == ["entropy", "confidence"]
    assert NEVER.fits("none") and not HALTING.fits("none")


def test_entropy_falls_to_its_threshold_and_the_others_rise_to_theirs() -> None:
    assert [HALTING.passes(score, 0.5) for score in (0.4, 0.5, 0.6)] == [False, True, True]
    assert [CONFIDENCE.passes(score, 0.5) for score in (0.4, 0.5, 0.6)] == [False, True, True]
    assert [ENTROPY.passes(score, 0.5) for score in (0.4, 0.5, 0.6)] == [True, True, False]
    assert [NEVER.passes(score, 0.5) for score in (0.4, 0.5, math.inf)] == [False, False, False]


def test_thresholds_have_a_range() -> None:
    assert ENTROPY.allows(0.0) and ENTROPY.allows(1.0) and not ENTROPY.allows(1.01)
    assert not CONFIDENCE.allows(-0.01) and not CONFIDENCE.allows(math.nan)
    assert HALTING.allows(-MAX_HALT_SCORE) and not HALTING.allows(2 * MAX_HALT_SCORE)


@with_threshold
def test_no_score_passes_the_unreachable_threshold(policy: ExitPolicy) -> None:
    scores = np.array([0.0, 1.0, np.finfo(np.float32).max, -np.finfo(np.float32).max], np.float32)
    assert not policy.passes(scores, policy.unreachable).any()


@with_threshold
def test_no_threshold_lets_a_score_that_is_no_number_pass(policy: ExitPolicy) -> None:
    scores = np.array([np.nan], np.float32)
    assert not any(policy.passes(scores, each).any() for each in (-math.inf, 0.0, 1.0, math.inf))


def test_float32_is_what_numpy_makes_of_a_number() -> None:
    for value in (0.1, 1 / 3, 1e-46, 16777217.0, -2.5, math.inf, -math.inf):
        assert single(value) == float(np.float32(value))
    assert single(1e39) == math.inf and single(-1e39) == -math.inf


def test_grids_are_geometric_for_shares_and_even_for_halting_scores() -> None:
    scale = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 400)])
    grids = {ENTROPY: scale, CONFIDENCE: 1.0 - scale, HALTING: np.linspace(48.0, 0.0, 401)}
    for policy, expected in grids.items():
        assert policy.grid(48.0) == [float(f"{value:.7g}") for value in expected]
    assert NEVER.grid(48.0) == []


@with_threshold
def test_grids_run_from_the_safest_threshold_to_one_that_all_pass(policy: ExitPolicy) -> None:
    scores = np.linspace(0, 1, 101, dtype=np.float32)
    shares = [float(policy.passes(scores, each).mean()) for each in policy.grid(1.0, 50)]
    assert shares == sorted(shares) and shares[-1] == 1.0 and shares[0] <= 0.01


LOGITS = np.random.default_rng(0).normal(0, 2, (40, 5, 7)).astype(np.float32)  # [B, S, N_c]
LOGITS[:4, 1] = LOGITS[:4, 0]  # nothing changed between two timesteps
LOGITS[4, :] = 0  # as unsure as can be
LOGITS[5, 2:] = [80, 0, 0, 0, 0, 0, 0]  # as sure as float32 can say
HALT_SCORES = np.round(np.random.default_rng(1).random((40, 5)) * 8).astype(np.float32) / 4


def trajectory() -> Trajectory:
    return Trajectory(
        logits=LOGITS, halt_score=HALT_SCORES, live_tokens=np.zeros((40, 5, 1), np.int32)
    )


def trace(scores: dict[str, NDArray[np.float32]]) -> Trace:
    """What training keeps of the same outputs, time first."""
    columns = {name: torch.from_numpy(value.T.copy()) for name, value in scores.items()}
    return Trace(
        correct=torch.zeros(5, 40).bool(), live_tokens=torch.zeros(40, 5, 1), tokens=1, **columns
    )


def edges(policy: ExitPolicy, scores: NDArray[np.float32]) -> list[float]:
    """Thresholds at scores, their neighbours in float32 and float64, and the range's ends."""
    some = np.unique(scores)[::7]
    beside = [np.nextafter(some, np.float32(way)) for way in (-np.inf, np.inf)]
    doubles = [np.nextafter(some.astype(np.float64), way) for way in (-np.inf, np.inf)]
    found = np.concatenate([some, *beside, *doubles]).astype(np.float64).tolist()
    return [*found, policy.low, policy.high, policy.unreachable, *policy.grid(8.0, 20)]


@with_threshold
def test_runtime_and_training_let_the_same_images_leave_at_the_same_time(
    policy: ExitPolicy,
) -> None:
    found = trajectory()
    scores = {each.name: found.scores(each.name) for each in CALIBRATED}
    seen, name = trace(scores), policy.name

    for threshold in edges(policy, scores[name]):
        left = found.exits(name, threshold)
        np.testing.assert_array_equal(first_exit(name, scores[name], threshold), left)
        steps = exit_steps(seen, name, threshold)
        np.testing.assert_array_equal(steps.numpy(), left + 1, err_msg=f"{name} at {threshold!r}")
        leaving = should_exit(name, threshold, LOGITS[:, 0], HALT_SCORES[:, 0])
        np.testing.assert_array_equal(leaving, left == 0)


def test_runtime_and_training_both_run_all_timesteps_under_never() -> None:
    found = trajectory()
    seen = trace({each.name: found.scores(each.name) for each in CALIBRATED})
    assert (found.exits("never", None) == 4).all()
    assert (exit_steps(seen, "never", NEVER.unreachable) == 5).all()
    assert not should_exit("never", None, LOGITS[:, 0], HALT_SCORES[:, 0]).any()


def test_runtime_and_training_compute_the_same_scores() -> None:
    logits = LOGITS.reshape(-1, LOGITS.shape[-1])
    scores = Scores(logits, HALT_SCORES.reshape(-1))
    probability = torch.from_numpy(logits).softmax(-1)
    np.testing.assert_allclose(
        ENTROPY.score(scores), normalised_entropy(probability).numpy(), rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(CONFIDENCE.score(scores), probability.amax(-1).numpy(), rtol=1e-6)
    np.testing.assert_array_equal(HALTING.score(scores), HALT_SCORES.reshape(-1))


def compared(path: Path) -> list[str]:
    """Places that tell policies apart by name: comparisons, and tables or lists of several."""
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:80]}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, SHAPES) and tells_apart(node)
    ]


def tells_apart(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        # A training phase and a module of the energy table are called "halting" too.
        about_policies = "policy" in ast.unparse(node) or names_in(sides) - {"halting"}
        return bool(names_in(sides)) and bool(about_policies)
    if isinstance(node, ast.MatchValue):
        return bool(names_in([node.value]) - {"halting"})
    keys = node.keys if isinstance(node, ast.Dict) else node.elts  # type: ignore[attr-defined]
    return len(names_in(keys)) > 1


def names_in(nodes: list[ast.expr | None]) -> set[str]:
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES
    }


def test_no_source_but_the_policies_own_tells_them_apart_by_name() -> None:
    places = [place for path in SOURCES for place in compared(path)]
    assert not places, "\n".join(places)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('policy == "halting"', True),
        ('"never" != x', True),
        ('p in ("entropy", "halting")', True),
        ('{"halting": 1, "entropy": 2}', True),
        ('phase == "halting"', False),
        ('("static", "halting")', False),
        ('run(policy="never")', False),
    ],
)
def test_the_search_itself_finds_such_places(line: str, expected: bool) -> None:
    found = [node for node in ast.walk(ast.parse(line)) if isinstance(node, SHAPES)]
    assert any(map(tells_apart, found)) == expected
