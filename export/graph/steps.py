"""The timesteps of a chunk, which go through a layer together.

Block l at timestep t needs block l - 1 at t and its own membranes and histories of t - 1, nothing
else. So a chunk of C timesteps is emitted layer by layer: every product is one product over
[C * B, ...], timestep after timestep, and only neurons, halting and merging go through the
timesteps one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from export.graph.builder import GraphBuilder


@dataclass(frozen=True)
class Steps:
    """C timesteps on the leading axis.

    Attributes:
        graph: where nodes go.
        count: C.
    """

    graph: GraphBuilder
    count: int

    @contextmanager
    def scope(self, step: int) -> Iterator[None]:
        """Names of what is emitted for timestep `step` (from 0) of several."""
        if self.count == 1:
            yield
            return
        with self.graph.scope(f"t{step + 1}"):
            yield

    def split(self, stacked: str) -> list[str]:
        """[C * B, ...] -> C times [B, ...]."""
        if self.count == 1:
            return [stacked]
        return self.graph.ops(
            "Split", [stacked], self.count, axis=0, num_outputs=self.count, name="each_step"
        )

    def stack(self, parts: Sequence[str]) -> str:
        """C times [B, ...] -> [C * B, ...]."""
        if len(parts) == 1:
            return parts[0]
        return self.graph.op("Concat", *parts, axis=0, name="all_steps")

    def unfold(self, stacked: str, tail: Sequence[int]) -> str:
        """[C * B, *tail] -> [C, B, *tail]; with one step [B, *tail] stays as it is."""
        if self.count == 1:
            return stacked
        shape = self.graph.ints(self.count, -1, *tail)
        return self.graph.op("Reshape", stacked, shape, name="by_step")

    def fold(self, unfolded: str, tail: Sequence[int]) -> str:
        """[C, B, *tail] -> [C * B, *tail]."""
        if self.count == 1:
            return unfolded
        return self.graph.op("Reshape", unfolded, self.graph.ints(-1, *tail), name="stacked")

    def repeat(self, value: str, rank: int) -> str:
        """A value [B, ...] of that rank, the same at every step -> [C, B, ...]."""
        if self.count == 1:
            return value
        lifted = self.graph.op("Unsqueeze", value, self.graph.ints(0), name="lifted")
        shape = self.graph.ints(self.count, *[1] * rank)
        return self.graph.op("Expand", lifted, shape, name="repeated")

    def by_image(self, stacked: str, width: int) -> str:
        """[C * B, width] -> [B, C, width], as the graph gives records out."""
        if self.count == 1:
            return self.graph.op("Unsqueeze", stacked, self.graph.ints(1), name="one_step")
        by_step = self.unfold(stacked, [width])
        return self.graph.op("Transpose", by_step, perm=[1, 0, 2], name="by_image")


class PerStep:
    """A value [B, ...] of every timestep; stacked or apart, whichever is asked for.

    Args:
        steps: of the chunk.
        stacked: [C * B, ...], if that is what exists.
        parts: C times [B, ...], if that is what exists.
    """

    def __init__(
        self, steps: Steps, *, stacked: str | None = None, parts: Sequence[str] | None = None
    ) -> None:
        self._steps, self._stacked = steps, stacked
        self._parts = None if parts is None else list(parts)

    @property
    def stacked(self) -> str:
        """[C * B, ...]."""
        if self._stacked is None:
            assert self._parts is not None
            self._stacked = self._steps.stack(self._parts)
        return self._stacked

    @property
    def parts(self) -> list[str]:
        """C times [B, ...]."""
        if self._parts is None:
            assert self._stacked is not None
            self._parts = self._steps.split(self._stacked)
        return self._parts
