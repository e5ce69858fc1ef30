"""Answer what is left of a plan, here or on a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from runtime.bulk.answer import Answering, Row, answer_shard
from runtime.bulk.results import Results
from runtime.bulk.shards import Shard
from runtime.bundle import Bundle
from runtime.engine import Engine
from spikehalt import console

Answered = tuple[int, list[Row]]  # a shard's number, and its rows
Answerer = Callable[[Sequence[Shard]], Iterable[Answered]]


@dataclass
class Summary:
    """What a run came to.

    Attributes:
        shards: how many there are.
        before: of which so many were there before it.
        images: that were answered, in the others.
        unread: images that could not be read.
        classes: how often each was the answer.
        timesteps: of all images together.
    """

    shards: int
    before: int
    images: int = 0
    unread: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    timesteps: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Count a shard."""
        for row in rows:
            if row["error"] is not None:
                self.unread += 1
            else:
                self.images += 1
                self.classes[str(row["name"])] += 1
                self.timesteps += row["timesteps"] or 0


def run_shards(shards: Sequence[Shard], results: Results, answerer: Answerer) -> Summary:
    """Answer the shards that have no results yet, writing each as it comes, in any order.

    Raises:
        OutputError: the disk is full; what is finished stays, and is not run again.
    """
    finished = results.finished()
    left = [shard for shard in shards if shard.number not in finished]
    summary = Summary(len(shards), len(shards) - len(left))
    answered = answerer(left) if left else ()
    for number, rows in console.progress(answered, len(left), "shards", _ones()):
        results.write(number, rows)
        summary.add(rows)
    return summary


def _ones() -> Iterator[int]:
    while True:
        yield 1


def here(bundle: Bundle, how: Answering) -> Answerer:
    """Answers in this process."""

    def answer(shards: Sequence[Shard]) -> Iterator[Answered]:
        with Engine(bundle, max_batch=how.batch, **how.engine) as engine:
            for shard in shards:
                yield shard.number, answer_shard(engine, shard, how)

    return answer
