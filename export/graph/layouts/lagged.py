"""The lagged layout: rows chosen between chunks, shapes known before a chunk runs (section 5).

The live set of (l, t + 1) lies inside that of (l, t). So `next.onnx` takes, for every block N after
the first, `rows.blockN` int32 [M]: the positions b * K + k, b counting the images that go on, of
the tokens that ran in block N at the end of the previous chunk. What halts inside the chunk is
masked.

The rows are padded with -1, by one at least: the last row stands for every absent token, and
padding is masked to zero. `first.onnx` gives every slot a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from export.graph.builder import GraphBuilder
from export.graph.chunk import Chunk
from export.graph.layouts.base import FromGrid, GridRows, Layout, Rows
from export.graph.layouts.full import FullRows, PickedRows, SlotRows
from export.graph.membranes import Membrane, Potential, before, left_rows, write_rows
from export.graph.steps import PerStep

INT32 = TensorProto.INT32


class LaggedIndex:
    """The rows of block `block` for a whole chunk.

    Args:
        chunk: the graph, which is resumed, and its timesteps.
        block: 1-based number, at least 2.
        slots: K.

    Attributes:
        index: int32 [M], position of each row; 0 for padding.
        valid: int32 [M], 0 for padding.
        place: int32 [B * K], row of each slot; the last row where absent.
        align: int32 [M], where each row was in the previous chunk.
    """

    def __init__(self, chunk: Chunk, block: int, slots: int) -> None:
        self.chunk, self.block, self.slots = chunk, block, slots
        self.graph = graph = chunk.graph
        rows = graph.input(f"rows.block{block}", INT32, [f"M_block{block}"])
        zero = graph.const(0, np.int32)
        self._is_token = graph.op("GreaterOrEqual", rows, zero, name="is_token")
        self.valid = graph.op("Cast", self._is_token, to=INT32, name="valid")
        self.index = graph.op("Max", rows, zero, name="index")
        self.place = self._places(rows)
        self.align = self._aligned()
        self._within: dict[int, str] = {}

    def within(self, other: LaggedIndex) -> str:
        """Row of each of these tokens among `other`'s rows, int32 [M]; slots are the same."""
        if other.block not in self._within:
            self._within[other.block] = self.graph.op(
                "Gather", other.place, self.index, axis=0, name="within"
            )
        return self._within[other.block]

    def _places(self, rows: str) -> str:
        """Scatter row numbers to positions; padding goes past the last, each row to its own place.

        TensorRT scatters no more rows than there are places, and no two rows to one place.
        """
        graph = self.graph
        count = graph.op("Shape", rows, name="row_count")
        slots = graph.op("Mul", self.chunk.batch, graph.ints(self.slots), name="slot_count")
        past = graph.op("Cast", slots, to=INT32, name="past_last")
        numbers = _counted(graph, count)
        beyond = graph.op("Add", past, numbers, name="beyond")
        positions = graph.op("Where", self._is_token, rows, beyond, name="positions")
        last = graph.op("Sub", graph.op("Cast", count, to=INT32), graph.const([1], np.int32))
        room = graph.op("Add", slots, count, name="slots_and_rows")
        absent = graph.op("Expand", last, room, name="absent")
        place = graph.op("ScatterElements", absent, positions, numbers, axis=0, name="scatter")
        return graph.op("Slice", place, graph.ints(0), slots, graph.ints(0), name="place")

    def _aligned(self) -> str:
        """Where the rows were: through the previous chunk's places of the images that go on."""
        graph, states, name = self.graph, self.chunk.states, f"block{self.block}.place"
        before = states.read(name, INT32, [self.slots], _unreachable)
        flat = graph.op("Reshape", before, graph.ints(-1), name="place_before")
        grid = graph.op("Reshape", self.place, graph.ints(-1, self.slots), name="place_grid")
        states.write(name, grid, INT32, [self.slots])
        return graph.op("Gather", flat, self.index, axis=0, name="align")


class LaggedRows(GridRows):
    """The rows of `at`, the same at every timestep of the chunk; who is alive changes.

    Args:
        at: which token each row is.
        live: int32 [B, K], 1 = alive; B counts the images of all timesteps.
    """

    def __init__(self, at: LaggedIndex, live: str) -> None:
        super().__init__(at.chunk, at.block, at.slots)
        self.at, self.live, self.steps = at, live, at.chunk.steps
        self._cache: dict[str, str] = {}

    def to_grid(self, x: str, width: int) -> str:
        """[M, C] -> [B, K, C]; an absent token has the last row, which `masked` sets to zero."""
        graph = self.graph
        flat = self.pick(x, self.at.place, [width], "unpack")
        return graph.op("Reshape", flat, graph.ints(-1, self.slots, width), name="grid")

    def from_grid(self, x: str, width: int) -> str:
        """[B, K, C] -> [M, C]."""
        graph = self.graph
        flat = graph.op("Reshape", x, graph.ints(-1, width), name="flat")
        return self.pick(flat, self.at.index, [width], "pack")

    def with_live(self, live: str) -> LaggedRows:
        """The same rows, of whom others are alive."""
        return LaggedRows(self.at, live)

    def pick(self, x: str, index: str, tail: list[int], name: str) -> str:
        """Rows `index` of every timestep's part of x [C * N, *tail]; stacked again."""
        axis = 0 if self.steps.count == 1 else 1
        by_step = self.steps.unfold(x, tail)
        picked = self.graph.op("Gather", by_step, index, axis=axis, name=name)
        return self.steps.fold(picked, tail)

    def gate(self, x: str, per_image: str, width: int) -> str:
        """Rows [M, C] times their image's row of [B, C]."""
        spread = self.pick(per_image, self._image(), [width], "spread")
        return self.graph.op("Mul", x, spread, name="gate")

    def masked(self, x: str) -> str:
        """Rows [M, C], absent tokens and padding set to zero."""
        return self.graph.op("Mul", x, self._mask(), name="masked")

    def attend(self, spikes: str, dim: int, heads: int) -> str:
        """(q k^T) v of spikes [M, 3D] -> [M, D], by way of the grid."""
        graph = self.graph
        grid = self.to_grid(self.masked(spikes), 3 * dim)
        flat = graph.op("Reshape", grid, graph.ints(-1, 3 * dim), name="all_rows")
        mixed = self.spike_attention(flat, heads)
        shape = graph.ints(-1, self.slots, dim)
        return self.from_grid(graph.op("Reshape", mixed, shape, name="mixed_grid"), dim)

    def membrane(self, name: str, width: int) -> Membrane:
        """[M, width]."""
        states = self.chunk.states

        def fitted(raw: str) -> Potential:
            return Potential(
                self.graph.op("Gather", raw, self.at.align, axis=0, name=f"align/{name}")
            )

        return Membrane(
            [width],
            lambda step: before(states, name, left_rows(self.block, width), fitted),
            lambda value: write_rows(states, name, value, self.block, width),
            self.split,
        )

    def _image(self) -> str:
        """The image of each row of one timestep, int32 [M]."""
        graph, slots = self.graph, self.graph.const(self.slots, np.int32)
        return self._cached("image", lambda: graph.op("Div", self.at.index, slots, name="image"))

    def _mask(self) -> str:
        """1 = alive, in the graph's dtype [M, 1]."""
        return self._cached("mask", self._live_rows)

    def _live_rows(self) -> str:
        graph, steps = self.graph, self.steps.count
        shape = graph.ints(-1) if steps == 1 else graph.ints(steps, -1)
        flat = graph.op("Reshape", self.live, shape, name="live_flat")
        axis = 0 if steps == 1 else 1
        rows = graph.op("Gather", flat, self.at.index, axis=axis, name="live_rows")
        alive = graph.op("Mul", rows, self.at.valid, name="alive")
        column = graph.op("Reshape", alive, graph.ints(-1, 1), name="mask_rows")
        return graph.op("Cast", column, to=graph.float_type, name="mask")

    def _cached(self, key: str, emit: Callable[[], str]) -> str:
        if key not in self._cache:
            self._cache[key] = emit()
        return self._cache[key]


class Lagged(Layout):
    """Rows of the tokens that lived at the end of the chunk before."""

    needs_live_masks: ClassVar[bool] = True
    for_engines: ClassVar[bool] = True

    def __init__(self, chunk: Chunk, *, holds: bool) -> None:
        super().__init__(chunk, holds=holds)
        self._indices: dict[int, LaggedIndex] = {}

    def entering(self, slots: int) -> FromGrid:
        """All slots of block 1."""
        return FullRows(self.chunk, 1, slots)

    def place(
        self, grid: str, block: int, slots: int, width: int, live: str | None
    ) -> tuple[str, Rows]:
        """Rows that the runtime named; all of them where none has halted, and in block 1."""
        every = live is None or block == 1
        rows = (
            FullRows(self.chunk, block, slots, live)
            if every
            else self._rows(block, slots, str(live))
        )
        return rows.from_grid(grid, width), rows

    def follow(
        self, x: str, rows: Rows, width: int, live: PerStep, *, merges: bool, last: bool
    ) -> tuple[str, Rows]:
        """Rows that the runtime named, picked from those of the block before."""
        assert isinstance(rows, SlotRows | LaggedRows)
        block, slots, alive = rows.block + 1, rows.slots, live.stacked
        if last:
            return x, FullRows(self.chunk, block, slots, alive)
        if merges:
            return x, rows.with_live(alive)
        follow = self._rows(block, slots, alive)
        if isinstance(follow, PickedRows):
            return x, follow
        index = follow.at.within(rows.at) if isinstance(rows, LaggedRows) else follow.at.index
        return follow.pick(x, index, [width], "enter"), follow

    def _rows(self, block: int, slots: int, live: str) -> PickedRows | LaggedRows:
        """Rows of a block after the first: those the runtime named, or all of them at the start."""
        states = self.chunk.states
        if states.resumed:
            return LaggedRows(self._index(block, slots), live)
        states.write(f"block{block}.place", _every_slot(self.chunk, slots), INT32, [slots])
        return PickedRows(self.chunk, block, slots, live)

    def _index(self, block: int, slots: int) -> LaggedIndex:
        """The rows of a block for this chunk, emitted once."""
        if block not in self._indices:
            self._indices[block] = LaggedIndex(self.chunk, block, slots)
        return self._indices[block]


def _every_slot(chunk: Chunk, slots: int) -> str:
    """Places in `first.onnx`, where slot k of image b is row b * K + k: int32 [B, K]."""
    graph = chunk.graph
    count = graph.op("Mul", chunk.batch, graph.ints(slots), name="slot_count")
    return graph.op("Reshape", _counted(graph, count), graph.ints(-1, slots), name="place")


def _counted(graph: GraphBuilder, count: str) -> str:
    """0, 1, ..., count - 1 as int32; `count` is int64 [1]."""
    end = graph.op("Squeeze", count, name="count")
    zero, one = graph.const(0, np.int64), graph.const(1, np.int64)
    return graph.op("Cast", graph.op("Range", zero, end, one, name="range"), to=INT32, name="rows")


def _unreachable() -> str:
    raise AssertionError("only a resumed graph has lagged rows")
