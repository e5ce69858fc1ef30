"""Spike counts of exported neurons under a constant current (I-SPS), as staircases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from export.fold.folded import FoldedLIF
from train.staircase import Staircase, folded_counts, staircase


def folded_staircase(lif: FoldedLIF, timesteps: int) -> Staircase:
    """Spike count over T of the exported neuron under a constant current."""
    count = folded_counts(lif.decay, lif.threshold, lif.reset, timesteps)
    return staircase(count, timesteps, highest=2 * lif.threshold)


def of_one_shape(*stairs: Staircase) -> tuple[Staircase, ...]:
    """The staircases with equal weights: in a graph one function body counts for all of them.

    They are one neuron's at several thresholds; rounding may let steps meet in one and not in the
    other, and then all are written as steps of one spike.
    """
    if len({each.weight for each in stairs}) == 1:
        return stairs
    return tuple(
        replace(
            each,
            at=tuple(at for at, n in zip(each.at, each.weight, strict=True) for _ in range(n)),
            weight=(1,) * each.timesteps,
        )
        for each in stairs
    )


def rate_levels(stairs: Staircase) -> list[tuple[np.float32, np.float32]]:
    """(position, firing rate from there on), ascending; rates add up as training adds them."""
    rate, levels = np.float32(0), []
    for at, weight in zip(stairs.at, stairs.weight, strict=False):
        rate = np.float32(rate + np.float32(weight / stairs.timesteps))
        levels.append((np.float32(at), rate))
    return levels
