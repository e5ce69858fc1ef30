"""A bar on stderr while images are read."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from typing import TypeVar, cast

from spikehalt.console import progress
from train.parallel.distributed import rank_and_world

T = TypeVar("T")


@contextmanager
def reading_bar(items: Iterable[T], total: int, what: str) -> Iterator[Iterator[T]]:
    """The items, under a bar where there is a terminal; of several processes the first shows it.

    Args:
        items: what is read, one after the other.
        total: how many there are.
        what: text beside the bar.
    """
    shown = progress(items, total, what, repeat(1)) if rank_and_world()[0] == 0 else iter(items)
    bar = cast("Generator[T, None, None]", (item for item in shown))
    with closing(bar):  # on errors too: the bar's thread would go on
        yield bar
