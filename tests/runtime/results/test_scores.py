from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runtime.results import scores as rules
from spikehalt.exits import POLICIES

LOGITS = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 6)),
    elements=st.floats(-1e4, 1e4, width=32),
)


@settings(max_examples=50, deadline=None)
@given(LOGITS)
def test_scores_stay_in_their_ranges(logits: np.ndarray) -> None:
    p, entropy = rules.softmax(logits), rules.normalised_entropy(logits)
    confidence = rules.confidence(logits)

    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert ((entropy >= 0) & (entropy <= 1)).all()
    assert ((confidence >= 1 / logits.shape[1] - 1e-6) & (confidence <= 1)).all()


def test_entropy_is_one_when_all_classes_are_equal_and_zero_when_one_is_certain() -> None:
    logits = np.array([[2, 2, 2, 2], [1000, 0, 0, 0]], np.float32)

    np.testing.assert_allclose(rules.normalised_entropy(logits), [1, 0], atol=1e-6)


def test_entropy_by_hand() -> None:
    p = np.array([0.7, 0.2, 0.1])
    expected = -(p * np.log(p)).sum() / np.log(3)

    value = rules.normalised_entropy(np.log(p)[None].astype(np.float32))

    np.testing.assert_allclose(value, [expected], rtol=1e-6)


def test_one_class_is_certain() -> None:
    assert rules.normalised_entropy(np.zeros((2, 1), np.float32)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("policy", "threshold", "expected"),
    [
        ("halting", 1.0, [False, True, True]),
        ("entropy", 0.5, [False, True, False]),
        ("confidence", 0.9, [False, True, False]),
        ("never", None, [False, False, False]),
    ],
)
def test_each_policy_looks_at_its_own_score(
    policy: str, threshold: float | None, expected: list[bool]
) -> None:
    logits = np.array([[0, 0], [9, 0], [0.1, 0]], np.float32)
    halt_score = np.array([0.9, 1.0, 1.1], np.float32)

    assert rules.should_exit(policy, threshold, logits, halt_score).tolist() == expected


def test_the_threshold_is_compared_in_single_precision() -> None:
    scores = np.array([0.1], np.float32)  # above 0.1 in double precision

    assert POLICIES["entropy"].passes(scores, 0.1).all()
    assert POLICIES["confidence"].passes(scores, 0.1).all()
