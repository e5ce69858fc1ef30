"""Answer what is left of a plan, here or on a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from runtime.bulk.answer import Answered, Answering, answer_shard
from runtime.bulk.results import Results
from runtime.bulk.shards import Shard
from runtime.bundle import Bundle
from runtime.engine import Engine
from spikehalt import console

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

    def add(self, answered: Answered) -> None:
        """Count a shard."""
        self.unread += answered.unread
        self.images += answered.images
        self.timesteps += answered.timesteps
        self.classes.update(answered.classes)


def run_shards(shards: Sequence[Shard], results: Results, answerer: Answerer) -> Summary:
    """Answer the shards that have no results yet, writing each as it comes, in any order.

    Raises:
        OutputError: the disk is full; what is finished stays, and is not run again.
    """
    finished = results.finished()
    left = [shard for shard in shards if shard.number not in finished]
    summary = Summary(len(shards), len(shards) - len(left))
    answered = answerer(left) if left else ()
    for each in console.progress(answered, len(left), "shards", repeat(1)):
        results.write(each.number, each.content)
        summary.add(each)
    return summary


def here(bundle: Bundle, how: Answering) -> Answerer:
    """Answers in this process."""

    def answer(shards: Sequence[Shard]) -> Iterator[Answered]:
        with Engine(bundle, max_batch=how.batch, **how.engine) as engine:
            for shard in shards:
                yield answer_shard(engine, shard, how)

    return answer
