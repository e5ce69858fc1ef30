"""When an image may leave: pure functions on the running outputs (design section 4).

Axes: B images, N_c classes. Every score is computed per image, so an image exits when it would
exit alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

POLICIES = ("halting", "entropy", "confidence", "never")


def softmax(logits: Floats) -> Floats:
    """Probabilities of the classes.

    Args:
        logits: float32 [B, N_c].

    Returns:
        float32 [B, N_c], rows sum to 1.
    """
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float32)


def normalised_entropy(logits: Floats) -> Floats:
    """Entropy of softmax(logits) over its maximum log N_c (DT-SNN, eq. 5).

    Args:
        logits: float32 [B, N_c].

    Returns:
        float32 [B] in [0, 1]; 0 where there is only one class.
    """
    classes = logits.shape[-1]
    if classes == 1:
        return np.zeros(logits.shape[:-1], np.float32)
    p = softmax(logits).astype(np.float64)
    entropy = -np.sum(p * np.log(np.maximum(p, np.finfo(np.float64).tiny)), axis=-1)
    return np.asarray(np.clip(entropy / np.log(classes), 0.0, 1.0), dtype=np.float32)


def confidence(logits: Floats) -> Floats:
    """The largest class probability.

    Args:
        logits: float32 [B, N_c].

    Returns:
        float32 [B] in [1/N_c, 1].
    """
    return np.asarray(softmax(logits).max(axis=-1), dtype=np.float32)


def score(policy: str, logits: Floats, halt_score: Floats) -> Floats:
    """The number a policy compares with its threshold.

    Args:
        policy: "halting", "entropy" or "confidence".
        logits: float32 [B, N_c].
        halt_score: float32 [B], mean over tokens of C(L, t).

    Returns:
        float32 [B].
    """
    scores: dict[str, Callable[[], Floats]] = {
        "halting": lambda: np.asarray(halt_score, dtype=np.float32),
        "entropy": lambda: normalised_entropy(logits),
        "confidence": lambda: confidence(logits),
    }
    return scores[policy]()


def passes(policy: str, scores: Floats, threshold: float) -> Bools:
    """Whether scores let their images leave: ≤ for "entropy", ≥ for the others.

    Args:
        policy: "halting", "entropy" or "confidence".
        scores: float32, any shape.
        threshold: compared in float32, as the scores are.

    Returns:
        bool, shape of `scores`.
    """
    limit = np.float32(threshold)
    return scores <= limit if policy == "entropy" else scores >= limit


def should_exit(policy: str, threshold: float | None, logits: Floats, halt_score: Floats) -> Bools:
    """Which images leave after this chunk.

    Args:
        policy: one of `POLICIES`.
        threshold: None for "never" only.
        logits: float32 [B, N_c].
        halt_score: float32 [B].

    Returns:
        bool [B].
    """
    if policy == "never" or threshold is None:
        return np.zeros(len(logits), np.bool_)
    return passes(policy, score(policy, logits, halt_score), threshold)


def first_exit(policy: str, scores: Floats, threshold: float) -> NDArray[np.int64]:
    """At which exit point each image leaves.

    Args:
        policy: "halting", "entropy" or "confidence".
        scores: float32 [B, S], the policy's score at every exit point.
        threshold: of the policy.

    Returns:
        int64 [B]: index of the first point that passes, S − 1 if none does.
    """
    leaves = passes(policy, scores, threshold)
    leaves[:, -1] = True
    return np.asarray(leaves.argmax(axis=1), dtype=np.int64)
