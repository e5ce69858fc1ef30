"""Where the time of one call went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class ChunkTime(NamedTuple):
    """One run of a graph.

    Attributes:
        start: timesteps that ran before it; 0 is the first chunk, with the once-per-image work.
        images: how many images took part.
        seconds: wall time.
    """

    start: int
    images: int
    seconds: float


@dataclass
class Timings:
    """Wall time of one call, filled in while it runs.

    Attributes:
        pre_s: checks and copies before the first graph runs.
        total_s: the whole call.
        chunks: every run of a graph, in order.
    """

    pre_s: float = 0.0
    total_s: float = 0.0
    chunks: list[ChunkTime] = field(default_factory=list)

    @property
    def graph_s(self) -> float:
        """Time inside the graphs."""
        return sum(chunk.seconds for chunk in self.chunks)

    @property
    def exit_s(self) -> float:
        """What is left: exit logic, bookkeeping and the result."""
        return max(self.total_s - self.pre_s - self.graph_s, 0.0)
