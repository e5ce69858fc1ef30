"""An upper confidence bound on the accuracy drop by betting, as in Fast yet Safe.

An image's loss is L = (1 + harmful − helpful) / 2, that is 0, ½ or 1; its mean is (1 + drop) / 2.
Whoever bets against "the mean is R" with predictable stakes ν multiplies his capital by
1 − ν_i (L_i − R) with every image, and reaches 1/δ with probability at most δ where that is true.
The bound is the least R at which he does (Waudby-Smith and Ramdas 2024, as used by Bates et al.
2021, prop. 5, and by Fast yet Safe, Jazbec et al. 2024, arXiv 2405.20915, for early exits):

    ν_i = min(1, sqrt(2 log(1/δ) / (n σ²_{i−1}))),   σ²_i = (¼ + Σ_j≤i (L_j − μ_j)²) / (1 + i),
    μ_i = (½ + Σ_j≤i L_j) / (1 + i)

Stakes follow the variance of harm minus help together, so where early exit helps nearly as many
images as it harms the bound is tighter than the two exact binomial ones of Learn then Test; where
it harms hardly any, it is wider (`python -m benchmarks.exit_rules`).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def shown_within(harmful: int, helpful: int, images: int, max_drop: float, delta: float) -> bool:
    """Whether the upper confidence bound of the drop lies below `max_drop`.

    Args:
        harmful: images that early exit made wrong.
        helpful: images that it made right.
        images: how many images there were.
        max_drop: in [0, 1).
        delta: probability, in (0, 1), of a bound below the true drop.
    """
    return _largest_capital(harmful, helpful, images, max_drop, delta) >= math.log(1 / delta)


@lru_cache(maxsize=64)
def images_needed(max_drop: float, delta: float) -> int:
    """The fewest images with which even a setting that harms none can be shown to be safe."""
    low, high = 0, 1
    while not shown_within(0, 0, high, max_drop, delta):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown_within(0, 0, middle, max_drop, delta) else (middle, high)
    return high


def _largest_capital(
    harmful: int, helpful: int, images: int, max_drop: float, delta: float
) -> float:
    """Logarithm of the most that a bet against "the drop is `max_drop`" ever had."""
    losses = _losses(harmful, helpful, images)
    stakes = _stakes(losses, delta)
    # A stake below 1 over the largest loss keeps the capital positive.
    gains = np.log1p(-np.minimum(stakes, 1 - 1e-12) * (losses - (1 + max_drop) / 2))
    return float(np.cumsum(gains).max())


@lru_cache(maxsize=1024)
def _losses(harmful: int, helpful: int, images: int) -> NDArray[np.float64]:
    """float64 [images]: the losses in random order.

    Images may come sorted by class, so their own order will not do. The same counts give the same
    order in every run; other counts, one drawn anew: as if all orders had been drawn beforehand.
    """
    losses = np.full(images, 0.5)
    losses[:harmful] = 1.0
    losses[harmful : harmful + helpful] = 0.0
    return np.random.default_rng([harmful, helpful, images]).permutation(losses)


def _stakes(losses: NDArray[np.float64], delta: float) -> NDArray[np.float64]:
    """float64 [n]: ν, each of which depends on earlier losses alone."""
    seen = np.arange(1, len(losses) + 1)
    means = (0.5 + np.cumsum(losses)) / (1 + seen)
    variances = (0.25 + np.cumsum((losses - means) ** 2)) / (1 + seen)
    before = np.concatenate([[0.25], variances[:-1]])
    stakes: NDArray[np.float64] = np.minimum(
        1.0, np.sqrt(2 * math.log(1 / delta) / (len(losses) * before))
    )
    return stakes
