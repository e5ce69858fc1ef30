"""A few of many, spread over all: of sorted files, a few of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread_indices(total: int, most: int) -> list[int]:
    """At most so many numbers of 0 … total − 1, at even distances from the first to the last."""
    if most >= total:
        return list(range(total))
    return [round(pick * (total - 1) / max(most - 1, 1)) for pick in range(most)]


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, spread evenly over all: over the classes of sorted ones."""
    return [items[index] for index in spread_indices(len(items), most)]


def spread_over_classes(labels: Sequence[int], most: int) -> list[int]:
    """Numbers of at most so many items, of every class in proportion, whatever their order.

    Args:
        labels: the class of every item.
        most: how many are wanted.

    Returns:
        Their positions, ascending.
    """
    by_class = sorted(range(len(labels)), key=labels.__getitem__)
    return sorted(spread(by_class, most))
