"""Differences between two methods on the same images, which vary less than the methods do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class Difference(NamedTuple):
    """In points: the mean over images, and its standard error."""

    points: float
    error: float

    def __str__(self) -> str:
        return f"{self.points:+.2f} ± {self.error:.2f}"


def difference(ours: Mask, theirs: Mask) -> Difference:
    """How much more often `ours` holds than `theirs`, of the same images [N]."""
    each = 100.0 * (ours.astype(np.float64) - theirs)
    return Difference(float(each.mean()), float(each.std() / len(each) ** 0.5))
