"""The packed layout: only live tokens have rows; nothing is computed for the others.

Shapes depend on the data, timestep by timestep, which ONNX Runtime takes and engines do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from export.graph.builder import GraphBuilder
from export.graph.chunk import Chunk
from export.graph.layouts.base import FromGrid, Layout, Rows, Standing
from export.graph.layouts.full import PickedRows
from export.graph.membranes import Membrane, Potential, left_rows, write_rows
from export.graph.steps import PerStep


class PackedRows:
    """The live tokens of a block, in order of timestep, image and position.

    Args:
        chunk: the graph and its timesteps.
        block: 1-based number.
        slots: K.
        live: int32 [B, K], 1 = alive.
        index: int64 [M], flat position b * K + k of each row.
        place: int64 [B * K], row of each slot; M, the appended zero row, where absent.
        per_step: int64 [1], positions of one timestep.
    """

    def __init__(
        self,
        chunk: Chunk,
        block: int,
        slots: int,
        live: str,
        index: str,
        place: str,
        per_step: str,
    ) -> None:
        self.chunk, self.block, self.slots = chunk, block, slots
        self.graph, self.steps = chunk.graph, chunk.steps
        self.live, self.index, self.place, self.per_step = live, index, place, per_step
        self._cache: dict[str, str] = {}
        self._parts: dict[str, list[str]] = {}

    def to_grid(self, x: str, width: int) -> str:
        """[M, C] -> [B, K, C], zero where absent: a zero row is appended and gathered there."""
        graph = self.graph
        zero_row = graph.ints(0, 0, 1, 0)
        padded = graph.op("Pad", x, zero_row, name="pad")
        flat = graph.op("Gather", padded, self.place, axis=0, name="unpack")
        return graph.op("Reshape", flat, graph.ints(-1, self.slots, width), name="grid")

    def split(self, x: str) -> list[str]:
        """[M, ...] -> the rows of each timestep."""
        if self.steps.count == 1:
            return [x]
        return self.graph.ops("Split", [x, self._counts()], self.steps.count, axis=0, name="split")

    def sum_tokens(self, x: str, width: int) -> str:
        """[M, C] -> [B, C] as a product with the one-hot matrix of images, in x's dtype."""
        return self.graph.op("MatMul", self._one_hot(), x, name="sum_tokens")

    def gate(self, x: str, per_image: str, width: int) -> str:
        """x [M, C] times the image's row of [B, C]."""
        rows = self.graph.op("Gather", per_image, self._image(), axis=0, name="spread")
        return self.graph.op("Mul", x, rows, name="gate")

    def masked(self, x: str) -> str:
        """Packed rows are all alive."""
        return x

    def attend(self, spikes: str, dim: int, heads: int) -> str:
        """(q k^T) v of spikes [M, 3D] -> [M, D], without the grid."""
        inputs = [spikes, self.index, self.place]
        (mixed,) = self.graph.custom(
            "PackedAttention", inputs, 1, name="attention", heads=heads, slots=self.slots
        )
        return mixed

    def to_neurons(self, current: str, width: int) -> str:
        """Neurons see rows."""
        return current

    def from_neurons(self, spikes: str, width: int) -> str:
        """Neurons give rows."""
        return spikes

    def membrane(self, name: str, width: int) -> Membrane:
        """[M, width]; each timestep's rows are looked up among those of the one before."""
        states, graph = self.chunk.states, self.graph

        def left() -> str:
            return states.take(name, graph.float_type, left_rows(self.block, width))

        def read(step: int) -> Potential:
            if not states.resumed:
                return Potential(graph.const([0.0]))
            return Potential(left(), self._align(step))

        def write(value: str) -> None:
            write_rows(states, name, value, self.block, width)

        def picked() -> tuple[Potential, str]:
            before = left() if states.resumed else graph.const(np.zeros((1, width)))
            return Potential(before, self._every_align()), self._counts()

        return Membrane([width], read, write, self.split, picked=picked)

    def to_halting(self, x: str, width: int) -> list[str]:
        """The rows of each timestep."""
        return self.split(x)

    def halt(
        self, x: str, step: int, standing: Standing, epsilon: str, **attributes: float
    ) -> list[str]:
        """See `Rows.halt`; rows are alive, so who is needs no mask."""
        index = self._index_at(step)
        inputs = [x, index, standing.size, standing.history, standing.cum, epsilon]
        return self.graph.custom("PackedTokenHalt", inputs, 4, name="halt", **attributes)

    def hand_on(self) -> None:
        """Leave the last timestep's place map for the next chunk to align with."""
        graph, last = self.graph, self.steps.count - 1
        place = self.place
        if last > 0:
            ahead = graph.op("Sub", place, self._start(last), name="place_in_step")
            place = self.steps.split(ahead)[last]
        self.chunk.states.write_slots(f"block{self.block}.place", place, TensorProto.INT64)

    def _image(self) -> str:
        """The image of each row, int64 [M]."""
        slots = self.graph.const(self.slots, np.int64)
        return self._cached("image", lambda: self.graph.op("Div", self.index, slots, name="image"))

    def _align(self, step: int) -> str:
        """Row of each token of a timestep among the rows of the timestep before, int64."""
        return self._cached(f"align{step}", lambda: self._aligned(step))

    def _every_align(self) -> str:
        """Of all timesteps, one after the other; at t = 1 the only row there is."""
        return self._cached("every_align", self._align_all)

    def _align_all(self) -> str:
        zero = self.graph.const(0, np.int64)
        resumed = self.chunk.states.resumed
        first = (
            self._align(0)
            if resumed
            else self.graph.op("Mul", self._index_at(0), zero, name="align")
        )
        later = [self._align(step) for step in range(1, self.steps.count)]
        return self.graph.op("Concat", first, *later, axis=0, name="every_align")

    def _aligned(self, step: int) -> str:
        graph = self.graph
        if step > 0:
            before = graph.op("Sub", self._stacked_index(step), self.per_step, name="before")
            row = graph.op("Gather", self.place, before, axis=0, name="row_before")
            return graph.op("Sub", row, self._start(step - 1), name="align")
        name, kind = f"block{self.block}.place", TensorProto.INT64
        place = self.chunk.states.read_slots(name, kind, self.slots, _unreachable)
        return graph.op("Gather", place, self._index_at(0), axis=0, name="align")

    def _counts(self) -> str:
        """Rows of each timestep, int64 [C]."""
        return self._cached("counts", self._count_per_step)

    def _count_per_step(self) -> str:
        graph = self.graph
        shape = graph.ints(self.steps.count, -1)
        by_step = graph.op("Reshape", self.live, shape, name="live_by_step")
        counts = graph.op("ReduceSum", by_step, graph.ints(1), keepdims=0, name="rows_per_step")
        return graph.op("Cast", counts, to=TensorProto.INT64, name="counts")

    def _start(self, step: int) -> str:
        """First row of a timestep, int64 [1]."""
        graph, zero = self.graph, self.graph.const(0, np.int64)
        if "start" not in self._parts:
            first = graph.op("CumSum", self._counts(), zero, exclusive=1, name="starts")
            self._parts["start"] = self.steps.split(first)
        return self._parts["start"][step]

    def _stacked_index(self, step: int) -> str:
        if "index" not in self._parts:
            self._parts["index"] = self.split(self.index)
        return self._parts["index"][step]

    def _index_at(self, step: int) -> str:
        """Flat position b * K + k among one timestep's images of each of its rows."""
        if step == 0:
            return self._stacked_index(0)
        return self._cached(f"index{step}", lambda: self._index_within(step))

    def _index_within(self, step: int) -> str:
        offset = self._cached(f"offset{step}", lambda: self._offset(step))
        return self.graph.op("Sub", self._stacked_index(step), offset, name="index_in_step")

    def _offset(self, step: int) -> str:
        if step == 1:
            return self.per_step
        return self.graph.op("Mul", self.per_step, self.graph.ints(step), name="offset")

    def _one_hot(self) -> str:
        """[B, M] in the graph's dtype: 1 where the row belongs to the image."""
        return self._cached("one_hot", self._belongs)

    def _belongs(self) -> str:
        graph = self.graph
        batch = graph.op("Shape", self.live, start=0, end=1, name="batch")
        count = graph.op("Squeeze", batch, name="batch_size")
        images = graph.op(
            "Range", graph.const(0, np.int64), count, graph.const(1, np.int64), name="images"
        )
        column = graph.op("Unsqueeze", images, graph.ints(1), name="image_column")
        equal = graph.op("Equal", column, self._image(), name="belongs")
        return graph.op("Cast", equal, to=graph.float_type, name="one_hot")

    def _cached(self, key: str, emit: Callable[[], str]) -> str:
        if key not in self._cache:
            self._cache[key] = emit()
        return self._cache[key]


class Packed(Layout):
    """Rows of live tokens, from the first halting decision, or merge that leaves slots, on."""

    attention_reads_bytes: ClassVar[bool] = True

    def entering(self, slots: int) -> FromGrid:
        """All slots of block 1, from which block 2 picks."""
        return PickedRows(self.chunk, 1, slots)

    def place(
        self, grid: str, block: int, slots: int, width: int, live: str | None
    ) -> tuple[str, Rows]:
        """The live tokens' rows."""
        rows = PickedRows(self.chunk, block, slots, live)
        x = rows.from_grid(grid, width)
        if live is None:
            return x, rows
        return self._pack(block, slots, x, every_row(self.chunk.graph, live), live)

    def leave(self, rows: Rows) -> None:
        """Leave their places to the next chunk."""
        if isinstance(rows, PackedRows):
            rows.hand_on()

    def follow(
        self, x: str, rows: Rows, width: int, live: PerStep, *, merges: bool, last: bool
    ) -> tuple[str, Rows]:
        """The rows of those that go on."""
        packed = rows if isinstance(rows, PackedRows) else None
        self.leave(rows)
        if last:
            return x, rows
        alive = live.stacked
        index = packed.index if packed else every_row(self.chunk.graph, alive)
        return self._pack(rows.block + 1, rows.slots, x, index, alive)

    def _pack(
        self, block: int, slots: int, x: str, index: str, live: str
    ) -> tuple[str, PackedRows]:
        """The rows of the tokens alive in `live` [B, K].

        Args:
            block: 1-based number.
            slots: K.
            x: rows [M, D] of all that may be alive.
            index: int64 [M], flat position b * K + k of each.
            live: int32 [B, K], 1 = alive.

        Returns:
            The rows [M', D] that are left, and which they are.
        """
        chunk, graph = self.chunk, self.chunk.graph
        per_step = ""
        if chunk.steps.count > 1:
            per_step = graph.op("Mul", chunk.batch, graph.ints(slots), name="slots")
        packed, kept, place = graph.custom("TokenPack", [x, index, live], 3, name="pack")
        return packed, PackedRows(chunk, block, slots, live, kept, place, per_step)


def every_row(graph: GraphBuilder, live: str) -> str:
    """Positions of all slots of `live` [B, K], int64 [B * K]."""
    shape = graph.op("Shape", live, name="slots_shape")
    count = graph.op("ReduceProd", shape, keepdims=0, name="slots_count")
    zero, one = graph.const(0, np.int64), graph.const(1, np.int64)
    return graph.op("Range", zero, count, one, name="every_row")


def _unreachable() -> str:
    raise AssertionError("membranes of t = 1 are zero and need no alignment")
