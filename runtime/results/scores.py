"""What exit policies look at, in numpy (design section 4); the policies: `spikehalt.exits`.

Axes: B images, N_c classes. Every score is computed per image, so an image exits when it would
exit alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikehalt.exits import POLICIES

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


def softmax(logits: Floats) -> Floats:
    """Probabilities of the classes.

    Args:
        logits: float32 [B, N_c].

    Returns:
        float32 [B, N_c], rows sum to 1.
    """
    return _probabilities(logits).astype(np.float32)


def _probabilities(logits: Floats) -> NDArray[np.float64]:
    """In float64: rounded once to float32, scores are those of training, whoever computes them."""
    wide = logits.astype(np.float64)
    shifted = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


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
    p = _probabilities(logits)
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


@dataclass(frozen=True, eq=False)
class Scores:
    """The score of every policy, computed when it is asked for.

    Attributes:
        logits: float32 [B, N_c].
        halt_score: float32 [B], mean over tokens of C(L, t).
    """

    logits: Floats
    halt_score: Floats

    @property
    def halting(self) -> Floats:
        """float32 [B]: the halting score."""
        return np.asarray(self.halt_score, dtype=np.float32)

    @property
    def entropy(self) -> Floats:
        """float32 [B] in [0, 1]; see `normalised_entropy`."""
        return normalised_entropy(self.logits)

    @property
    def confidence(self) -> Floats:
        """float32 [B] in [1/N_c, 1]; see `confidence`."""
        return confidence(self.logits)


def should_exit(policy: str, threshold: float | None, logits: Floats, halt_score: Floats) -> Bools:
    """Which images leave after this chunk.

    Args:
        policy: a name in `spikehalt.exits.POLICIES`.
        threshold: None for a policy without one: no image leaves early.
        logits: float32 [B, N_c].
        halt_score: float32 [B].

    Returns:
        bool [B].
    """
    if threshold is None:
        return np.zeros(len(logits), np.bool_)
    rule = POLICIES[policy]
    return np.asarray(rule.passes(rule.score(Scores(logits, halt_score)), threshold))


def first_exit(policy: str, scores: Floats, threshold: float) -> NDArray[np.int64]:
    """At which exit point each image leaves.

    Args:
        policy: a name in `spikehalt.exits.POLICIES`, of a policy with a threshold.
        scores: float32 [B, S], the policy's score at every exit point.
        threshold: of the policy.

    Returns:
        int64 [B]: index of the first point that passes, S − 1 if none does.
    """
    leaves = POLICIES[policy].passes(scores, threshold)
    leaves[:, -1] = True
    return np.asarray(leaves.argmax(axis=1), dtype=np.int64)
