"""The dense layout: every slot of every image has a row; absent ones are masked."""

from __future__ import annotations

from typing import ClassVar

from onnx import TensorProto

from export.graph.builder import Shape
from export.graph.chunk import Chunk
from export.graph.layouts.base import FromGrid, GridRows, Layout, Rows
from export.graph.membranes import Membrane, Potential, before, left_rows, write_rows
from export.graph.steps import PerStep


class SlotRows(GridRows):
    """A row for each of the K slots of a block.

    Args:
        chunk: the graph and its timesteps.
        block: 1-based number.
        slots: K.
        live: int32 [B, K] mask of live tokens, or None when all are.
    """

    def __init__(self, chunk: Chunk, block: int, slots: int, live: str | None = None) -> None:
        super().__init__(chunk, block, slots)
        self.live = live
        self._mask: str | None = None

    def to_grid(self, x: str, width: int) -> str:
        """[B * K, C] -> [B, K, C]."""
        return self.graph.op("Reshape", x, self.graph.ints(-1, self.slots, width), name="grid")

    def from_grid(self, x: str, width: int) -> str:
        """[B, K, C] -> [B * K, C]."""
        return self.graph.op("Reshape", x, self.graph.ints(-1, width), name="rows")

    def with_live(self, live: str) -> SlotRows:
        """The same rows, of whom others are alive."""
        return type(self)(self.chunk, self.block, self.slots, live)

    def gate(self, x: str, per_image: str, width: int) -> str:
        """x [B * K, C] times the image's row of [B, C]."""
        grid = self.to_grid(x, width)
        spread = self.graph.op("Unsqueeze", per_image, self.graph.ints(1), name="spread")
        return self.from_grid(self.graph.op("Mul", grid, spread, name="gate"), width)

    def masked(self, x: str) -> str:
        """x [B * K, C] with absent tokens set to zero."""
        if self.live is None:
            return x
        return self.graph.op("Mul", x, self.alive(), name="masked")

    def attend(self, spikes: str, dim: int, heads: int) -> str:
        """(q k^T) v of spikes [B * K, 3D] -> [B * K, D]."""
        return self.spike_attention(self.masked(spikes), heads)

    def alive(self) -> str:
        """1 = alive, in the graph's dtype [B * K, 1]."""
        if self._mask is None:
            column = self.graph.ints(-1, 1)
            flat = self.graph.op("Reshape", str(self.live), column, name="mask_rows")
            self._mask = self.graph.op("Cast", flat, to=self.graph.float_type, name="mask")
        return self._mask


class FullRows(SlotRows):
    """All slots; neurons see the grid, which is the shape of their membranes.

    Reshaping currents and spikes to and fro is free; a reshaped output of the graph is a copy.

    Args:
        chunk: the graph and its timesteps.
        block: 1-based number.
        slots: K.
        live: int32 [B, K] mask of live tokens, or None when all are.
        holds: membranes of absent tokens stay as they were.
    """

    def __init__(
        self, chunk: Chunk, block: int, slots: int, live: str | None = None, *, holds: bool = False
    ) -> None:
        super().__init__(chunk, block, slots, live)
        self.holds = holds

    def to_neurons(self, current: str, width: int) -> str:
        """[B * K, width] -> [B, K, width]."""
        return self.to_grid(current, width)

    def from_neurons(self, spikes: str, width: int) -> str:
        """[B, K, width] -> [B * K, width]."""
        return self.from_grid(spikes, width)

    def membrane(self, name: str, width: int) -> Membrane:
        """[B, K, width]."""
        states, slots = self.chunk.states, self.slots
        kind = self.graph.float_type
        left: Shape = ["B_previous", slots, width]

        def read(step: int) -> Potential:
            return before(states, name, left, lambda raw: Potential(raw, str(states.alive)))

        def write(value: str) -> None:
            states.keep(name, value, kind, ["B", slots, width])

        tail, split = [slots, width], self.chunk.steps.split
        if self.live is None or not self.holds:
            return Membrane(tail, read, write, split)
        alive: list[str] = []

        def held(after: str, before: Potential, step: int) -> str:
            if not alive:
                mask = self.graph.op("Cast", self.alive(), to=TensorProto.BOOL, name="alive")
                alive.extend(split(self.to_grid(mask, 1)))
            kept = before.aligned(self.graph, name).v
            return self.graph.op("Where", alive[step], after, kept, name="held")

        return Membrane(tail, read, write, split, held)


class PickedRows(SlotRows):
    """All slots, in a layout that picks some of the rows afterwards: membranes are rows too."""

    def membrane(self, name: str, width: int) -> Membrane:
        """[B * K, width]."""
        states = self.chunk.states

        def fitted(raw: str) -> Potential:
            return Potential(raw, states.alive_slots(self.slots))

        return Membrane(
            [width],
            lambda step: before(states, name, left_rows(self.block, width), fitted),
            lambda value: write_rows(states, name, value, self.block, width),
            self.split,
        )


class Dense(Layout):
    """Static shapes and masks."""

    can_hold: ClassVar[bool] = True

    def entering(self, slots: int) -> FromGrid:
        """All slots of block 1."""
        return FullRows(self.chunk, 1, slots, holds=self.holds)

    def place(
        self, grid: str, block: int, slots: int, width: int, live: str | None
    ) -> tuple[str, Rows]:
        """All slots."""
        rows = FullRows(self.chunk, block, slots, live, holds=self.holds)
        return rows.from_grid(grid, width), rows

    def follow(
        self, x: str, rows: Rows, width: int, live: PerStep, *, merges: bool, last: bool
    ) -> tuple[str, Rows]:
        """The same rows."""
        after = FullRows(self.chunk, rows.block + 1, rows.slots, live.stacked, holds=self.holds)
        return x, after
