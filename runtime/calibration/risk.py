"""A bound on the accuracy lost by exiting early that holds for new images.

Early exit harms an image if all timesteps get it right and the early answer is wrong, and helps in
the opposite case. With probabilities a (harm) and b (help), the drop is a − b. Exact binomial
(Clopper-Pearson) bounds give, with probability ≥ 1 − δ,

    a − b ≤ upper(harmful, n, 0.9 δ) − lower(helpful, n, 0.1 δ),

a valid p-value test of "drop > α" at every threshold. Thresholds are tested from the safest on and
the first failure stops (fixed-sequence testing), so the level is not divided by their number
(Learn then Test, Angelopoulos et al. 2021; for early exit: Fast yet Safe, Jazbec et al. 2024).
Any sequence of thresholds is valid, whether or not the drop grows along it. In place of the
binomial bounds there is one by betting (`runtime.calibration.betting`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from runtime.calibration import betting
from runtime.calibration.evidence import Point
from runtime.calibration.goal import Rule

_HARM_SHARE = 0.9  # of δ: harm is what limits, help is rare
_BISECTIONS = 60


def drop_bound(harmful: int, helpful: int, images: int, delta: float) -> float:
    """Upper bound on the accuracy drop, wrong with probability at most `delta`.

    Args:
        harmful: images that early exit made wrong.
        helpful: images that it made right.
        images: how many images there were.
        delta: in (0, 1).
    """
    harm = upper(harmful, images, _HARM_SHARE * delta)
    return harm - lower(helpful, images, (1.0 - _HARM_SHARE) * delta)


def last_safe(
    curve: list[Point], max_drop: float, delta: float, rule: Rule = "learn-then-test"
) -> Point | None:
    """The last point up to which every drop stays within `max_drop`; None if not even the first's.

    Args:
        curve: points in an order that was fixed before the images were looked at.
        max_drop: α.
        delta: δ of the whole sequence.
        rule: how a point is shown to be safe.
    """
    best = None
    for point in curve:
        if not shown_within(point, max_drop, delta, rule):
            break
        best = point
    return best


def shown_within(point: Point, max_drop: float, delta: float, rule: Rule) -> bool:
    """Whether a point's drop is at most `max_drop`, wrong with probability at most `delta`."""
    if rule == "upper-confidence-bound":
        return betting.shown_within(point.harmful, point.helpful, point.images, max_drop, delta)
    return drop_bound(point.harmful, point.helpful, point.images, delta) <= max_drop


def images_needed(max_drop: float, delta: float, rule: Rule = "learn-then-test") -> int:
    """How many images it takes to show that a setting is safe which harms none of them."""
    if rule == "upper-confidence-bound":
        return betting.images_needed(max_drop, delta)
    return math.ceil(math.log(_HARM_SHARE * delta) / math.log1p(-max_drop))


@lru_cache(maxsize=4096)
def upper(count: int, images: int, delta: float) -> float:
    """Clopper-Pearson upper bound: at a larger p, `count` or fewer have probability ≤ `delta`."""
    if count >= images:
        return 1.0
    return _bisect(lambda p: _cdf(count, images, p) > delta)


@lru_cache(maxsize=4096)
def lower(count: int, images: int, delta: float) -> float:
    """Clopper-Pearson lower bound: at a smaller p, `count` or more have probability ≤ `delta`."""
    if count <= 0:
        return 0.0
    # Rounded down, so that the bound stays on its side.
    return _bisect(lambda p: 1.0 - _cdf(count - 1, images, p) <= delta, down=True)


def _bisect(goes_up: Callable[[float], bool], down: bool = False) -> float:
    """Where a condition on [0, 1] turns from true to false, rounded to the safe side."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if goes_up(middle):
            low = middle
        else:
            high = middle
    return low if down else high


def _cdf(count: int, images: int, p: float) -> float:
    """P(Binomial(images, p) ≤ count)."""
    if p <= 0.0 or p >= 1.0:
        return 1.0 if p <= 0.0 else float(count >= images)
    k = np.arange(count + 1)
    logs = _log_choose(images)[: count + 1] + k * math.log(p) + (images - k) * math.log1p(-p)
    return min(float(np.exp(logs).sum()), 1.0)


@lru_cache(maxsize=8)
def _log_choose(images: int) -> NDArray[np.float64]:
    """float64 [images + 1]: log of the binomial coefficients."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, images + 1)))])
    return np.asarray(factorials[-1] - factorials - factorials[::-1], dtype=np.float64)
