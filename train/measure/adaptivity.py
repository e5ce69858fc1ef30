"""Whether computation follows the image: how much each image gets, against how hard it is.

Difficulty is what the static network, which gives every image the same computation, says of it: the
less sure it is of its answer, the harder the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from train.errors import DataError
from train.measure.exits import Trace


@dataclass(frozen=True)
class Adaptivity:
    """How the computation of images depends on their difficulty.

    Attributes:
        easiest: mean computation of the quarter of images that the static network is surest of.
        hardest: of the quarter that it is least sure of.
        ratio: hardest over easiest; 1 where computation does not depend on the image.
        rank_correlation: Spearman's, of computation with the static network's confidence; negative
            where hard images get more.
        deviation: standard deviation of computation over images.
    """

    easiest: float
    hardest: float
    ratio: float
    rank_correlation: float
    deviation: float


def computation(trace: Trace, steps: Tensor) -> Tensor:
    """Each image's live tokens over all tokens of all blocks and all T timesteps, [N] in [0, 1].

    Args:
        trace: what a network said about each image.
        steps: executed timesteps of each image, int64 [N]; what comes after them costs nothing.
    """
    timesteps = trace.live_tokens.shape[1]
    ran = torch.arange(1, timesteps + 1) <= steps.unsqueeze(-1)  # [N, T]
    return (trace.live_tokens.mean(-1) * ran).sum(-1) / (timesteps * trace.tokens)


def adaptivity(computed: Tensor, confidence: Tensor) -> Adaptivity:
    """Compare the quarters and rank all images.

    Args:
        computed: `computation` of each image [N].
        confidence: of the static network in its answer [N].

    Raises:
        DataError: one image alone cannot be compared.
    """
    if len(computed) < 2:
        raise DataError(f"adaptivity compares images; there are {len(computed)}")
    count = max(1, len(computed) // 4)
    order = confidence.argsort(stable=True)
    hardest, easiest = computed[order[:count]].mean(), computed[order[-count:]].mean()
    return Adaptivity(
        easiest=float(easiest),
        hardest=float(hardest),
        ratio=float(hardest / easiest),
        rank_correlation=rank_correlation(computed, confidence),
        deviation=float(computed.double().std(correction=0)),
    )


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's correlation of [N] and [N]; 0 where either is the same for all."""
    ranked = torch.stack([ranks(a), ranks(b)])
    if (ranked.std(-1) == 0).any():
        return 0.0
    return float(torch.corrcoef(ranked)[0, 1])


def ranks(values: Tensor) -> Tensor:
    """Ranks from 1 of values [N], float64 [N]; equal values share the mean of theirs."""
    _, which, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranked: Tensor = (last - (counts - 1) / 2)[which]
    return ranked


def exit_histogram(steps: Tensor, timesteps: int) -> tuple[float, ...]:
    """Share of images that leave after each timestep 1..T, from executed timesteps int64 [N]."""
    counts = torch.bincount(steps, minlength=timesteps + 1)[1:]
    return tuple((counts.double() / len(steps)).tolist())


def standard_error(accuracy: float, images: int) -> float:
    """Of a share of right answers, sqrt(p (1 - p) / N)."""
    return float((accuracy * (1 - accuracy) / images) ** 0.5)
