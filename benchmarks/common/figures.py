"""The arithmetic that all figures share: medians, spreads, ratios, turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence


def spread(values: Sequence[float]) -> float:
    """Interquartile range of two values or more."""
    low, _, high = statistics.quantiles(values, n=4)
    return high - low


def ratio(base: float | None, own: float | None) -> float | None:
    """How many times less `own` is than `base`; None where either was not measured."""
    return None if base is None or own is None else base / own


def in_turn(measured: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """Median of what each function returns, all of them taking turns in every round."""
    found: list[list[float]] = [[] for _ in measured]
    for _ in range(rounds):
        for measure, values in zip(measured, found, strict=True):
            values.append(measure())
    return [statistics.median(values) for values in found]
