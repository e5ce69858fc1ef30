"""Token layouts. Linear layers see rows [M, C]; these say which token each row is.

    FullRows     every slot of every image has a row; absent ones are masked
    PackedRows   only live tokens have rows; nothing is computed for the others
    LaggedRows   tokens live at the end of the previous chunk have rows (export/lagged.py)

Attention needs the grid [B, K, C], zero where a token is absent. In a chunk of several timesteps
(export/steps.py) B counts the images of all of them, timestep after timestep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from export.builder import GraphBuilder
from export.lagged import LaggedRows
from export.steps import Steps

if TYPE_CHECKING:
    from export.states import States


@dataclass
class FullRows:
    """All K slots of block `block`.

    Attributes:
        graph: where nodes go.
        block: 1-based number.
        slots: K.
        live: int32 [B, K] mask of live tokens, or None when all are.
        lagged: membranes leave the graph as rows, for lagged rows to pick from.
    """

    graph: GraphBuilder
    block: int
    slots: int
    live: str | None = None
    lagged: bool = False
    _mask: str | None = None

    def to_grid(self, x: str, width: int) -> str:
        """[B * K, C] -> [B, K, C]."""
        return self.graph.op("Reshape", x, self.graph.ints(-1, self.slots, width), name="grid")

    def from_grid(self, x: str, width: int) -> str:
        """[B, K, C] -> [B * K, C]."""
        return self.graph.op("Reshape", x, self.graph.ints(-1, width), name="rows")

    def sum_tokens(self, x: str, width: int) -> str:
        """[B * K, C] -> [B, C]."""
        grid = self.to_grid(x, width)
        return self.graph.op("ReduceSum", grid, self.graph.ints(1), keepdims=0, name="sum_tokens")

    def spread(self, per_image: str, width: int) -> str:
        """[B, C] -> [B, 1, C], which broadcasts over the grid."""
        return self.graph.op("Unsqueeze", per_image, self.graph.ints(1), name="spread")

    def gate(self, x: str, per_image: str, width: int) -> str:
        """x [B * K, C] times the image's row of [B, C]."""
        gated = self.graph.op(
            "Mul", self.to_grid(x, width), self.spread(per_image, width), name="gate"
        )
        return self.from_grid(gated, width)

    def masked(self, x: str) -> str:
        """x [B * K, C] with absent tokens set to zero."""
        if self.live is None:
            return x
        return self.graph.op("Mul", x, self.mask(), name="masked")

    def mask(self) -> str:
        """1 = alive, in the graph's dtype [B * K, 1]."""
        if self._mask is None:
            flat = self.graph.op(
                "Reshape", str(self.live), self.graph.ints(-1, 1), name="mask_rows"
            )
            self._mask = self.graph.op("Cast", flat, to=self.graph.float_type, name="mask")
        return self._mask


@dataclass
class PackedRows:
    """The live tokens of block `block`, in order of timestep, image and position.

    Attributes:
        graph: where nodes go.
        block: 1-based number.
        slots: K.
        live: int32 [B, K], 1 = alive.
        index: int64 [M], flat position b * K + k of each row.
        steps: timesteps among the B.
        per_step: int64 [1], positions of one timestep.
    """

    graph: GraphBuilder
    block: int
    slots: int
    live: str
    index: str
    steps: Steps
    per_step: str
    _cache: dict[str, str] = field(default_factory=dict)
    _parts: dict[str, list[str]] = field(default_factory=dict)

    def to_grid(self, x: str, width: int) -> str:
        """[M, C] -> [B, K, C], zero where absent: a zero row is appended and gathered there."""
        graph = self.graph
        zero_row = graph.ints(0, 0, 1, 0)
        padded = graph.op("Pad", x, zero_row, name="pad")
        flat = graph.op("Gather", padded, self.place_or_pad(), axis=0, name="unpack")
        return graph.op("Reshape", flat, graph.ints(-1, self.slots, width), name="grid")

    def from_grid(self, x: str, width: int) -> str:
        """[B, K, C] -> [M, C]."""
        graph = self.graph
        flat = graph.op("Reshape", x, graph.ints(-1, width), name="flat")
        return graph.op("Gather", flat, self.index, axis=0, name="pack")

    def split(self, x: str) -> list[str]:
        """[M, ...] -> the rows of each timestep."""
        if self.steps.count == 1:
            return [x]
        return self.graph.ops("Split", [x, self._counts()], self.steps.count, axis=0, name="split")

    def vector(self, x: str, step: int) -> str:
        """[B, K] of one timestep -> its rows."""
        flat = self.graph.op("Reshape", x, self.graph.ints(-1), name="flat")
        return self.graph.op("Gather", flat, self._index_at(step), axis=0, name="pack")

    def filled(self, value: float, dtype: Any, step: int) -> str:
        """One value for each row of a timestep."""
        shape = self._cached(
            f"shape{step}",
            lambda: self.graph.op("Shape", self._index_at(step), name="row_count"),
        )
        constant = self.graph.const([value], dtype)
        key = f"filled{step}/{constant}"
        return self._cached(key, lambda: self.graph.op("Expand", constant, shape, name="filled"))

    def update(self, grid: str, values: str, step: int) -> str:
        """[B, K] of one timestep with `values` written at its live tokens."""
        return self._scatter(grid, self._index_at(step), values)

    def spread_live(self, live_rows: str) -> str:
        """Int32 [M] of rows -> int32 [B, K], zero for absent tokens."""
        zeros = self.graph.op("Sub", self.live, self.live, name="none_alive")
        return self._scatter(zeros, self.index, live_rows)

    def _scatter(self, grid: str, index: str, values: str) -> str:
        graph = self.graph
        flat = graph.op("Reshape", grid, graph.ints(-1), name="flat")
        written = graph.op("ScatterElements", flat, index, values, axis=0, name="scatter")
        return graph.op("Reshape", written, graph.ints(-1, self.slots), name="grid")

    def sum_tokens(self, x: str, width: int) -> str:
        """[M, C] -> [B, C] as a product with the one-hot matrix of images, in x's dtype."""
        return self.graph.op("MatMul", self.one_hot(self.graph.float_type), x, name="sum_tokens")

    def gate(self, x: str, per_image: str, width: int) -> str:
        """x [M, C] times the image's row of [B, C]."""
        rows = self.graph.op("Gather", per_image, self.image(), axis=0, name="spread")
        return self.graph.op("Mul", x, rows, name="gate")

    def masked(self, x: str) -> str:
        """Packed rows are all alive."""
        return x

    def one_hot(self, elem_type: int) -> str:
        """[B, M]: 1 where the row belongs to the image."""
        return self._cached(f"one_hot{elem_type}", lambda: self._one_hot(elem_type))

    def image(self) -> str:
        """The image of each row, int64 [M]."""
        slots = self.graph.const(self.slots, np.int64)
        return self._cached("image", lambda: self.graph.op("Div", self.index, slots, name="image"))

    def place_or_pad(self) -> str:
        """Row of each slot, int64 [B * K]; M, the appended zero row, where absent."""
        return self._cached("place_or_pad", self._place_or_pad)

    def align(self, states: States, step: int) -> str:
        """Row of each token of a timestep among the rows of the timestep before, int64."""
        return self._cached(f"align{step}", lambda: self._align(states, step))

    def hand_on(self, states: States) -> None:
        """Leave the last timestep's place map for the next chunk to align with."""
        graph, last = self.graph, self.steps.count - 1
        place = self._place_flat()
        if last > 0:
            ahead = graph.op("Sub", place, self._start(last), name="place_in_step")
            place = self.steps.split(ahead)[last]
        grid = graph.op("Reshape", place, graph.ints(-1, self.slots), name="place")
        states.write(f"block{self.block}.place", grid, TensorProto.INT64, [self.slots])

    def _align(self, states: States, step: int) -> str:
        graph = self.graph
        if step > 0:
            before = graph.op("Sub", self._stacked_index(step), self.per_step, name="before")
            row = graph.op("Gather", self._place_flat(), before, axis=0, name="row_before")
            return graph.op("Sub", row, self._start(step - 1), name="align")

        def unreachable() -> str:
            raise AssertionError("membranes of t = 1 are zero and need no alignment")

        name = f"block{self.block}.place"
        place = states.read(name, TensorProto.INT64, [self.slots], unreachable)
        return self.vector(place, 0)

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

    def _one_hot(self, elem_type: int) -> str:
        graph = self.graph
        batch = graph.op("Shape", self.live, start=0, end=1, name="batch")
        count = graph.op("Squeeze", batch, name="batch_size")
        images = graph.op(
            "Range", graph.const(0, np.int64), count, graph.const(1, np.int64), name="images"
        )
        column = graph.op("Unsqueeze", images, graph.ints(1), name="image_column")
        equal = graph.op("Equal", column, self.image(), name="belongs")
        return graph.op("Cast", equal, to=elem_type, name="one_hot")

    def _place_flat(self) -> str:
        return self._cached("place_flat", self._count_rows)

    def _count_rows(self) -> str:
        graph = self.graph
        flat = graph.op("Reshape", self.live, graph.ints(-1), name="live_flat")
        wide = graph.op("Cast", flat, to=TensorProto.INT64, name="live_int64")
        running = graph.op("CumSum", wide, graph.const(0, np.int64), name="running")
        return graph.op("Sub", running, graph.const(1, np.int64), name="place_flat")

    def _place_or_pad(self) -> str:
        graph = self.graph
        flat = graph.op("Reshape", self.live, graph.ints(-1), name="live_flat")
        alive = graph.op("Cast", flat, to=TensorProto.BOOL, name="alive")
        pad = graph.op("Shape", self.index, name="rows")
        return graph.op("Where", alive, self._place_flat(), pad, name="place_or_pad")

    def _cached(self, key: str, emit) -> str:  # type: ignore[no-untyped-def]
        if key not in self._cache:
            self._cache[key] = emit()
        return self._cache[key]


Rows = FullRows | PackedRows | LaggedRows


def pack(steps: Steps, block: int, slots: int, live: str, batch: str) -> PackedRows:
    """The rows of the tokens alive in `live` [B, K].

    Args:
        steps: timesteps among the B.
        block: 1-based number.
        slots: K.
        live: int32 [B, K], 1 = alive.
        batch: int64 [1], images of one timestep.
    """
    graph = steps.graph
    per_step = "" if steps.count == 1 else graph.op("Mul", batch, graph.ints(slots), name="slots")
    flat = graph.op("Reshape", live, graph.ints(-1), name="live_flat")
    found = graph.op("NonZero", flat, name="live_index")
    index = graph.op("Reshape", found, graph.ints(-1), name="index")
    return PackedRows(graph, block, slots, live, index, steps, per_step)
