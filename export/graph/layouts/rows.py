"""Token layouts. Linear layers see rows [M, C]; these say which token each row is.

    FullRows     every slot of every image has a row; absent ones are masked
    PackedRows   only live tokens have rows; nothing is computed for the others
    LaggedRows   tokens live at the end of the previous chunk have rows (layouts/lagged.py)

Attention needs the grid [B, K, C], zero where a token is absent. In a chunk of several timesteps
(export/graph/steps.py) B counts the images of all of them, timestep after timestep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from export.graph.builder import GraphBuilder
from export.graph.layouts.lagged import LaggedRows
from export.graph.steps import Steps

if TYPE_CHECKING:
    from export.graph.states import States


@dataclass
class FullRows:
    """All K slots of block `block`.

    Attributes:
        graph: where nodes go.
        block: 1-based number.
        slots: K.
        live: int32 [B, K] mask of live tokens, or None when all are.
        as_rows: membranes are kept as rows [B * K, width], which later rows pick from.
    """

    graph: GraphBuilder
    block: int
    slots: int
    live: str | None = None
    as_rows: bool = False
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
        place: int64 [B * K], row of each slot; M, the appended zero row, where absent.
        steps: timesteps among the B.
        per_step: int64 [1], positions of one timestep.
    """

    graph: GraphBuilder
    block: int
    slots: int
    live: str
    index: str
    place: str
    steps: Steps
    per_step: str
    _cache: dict[str, str] = field(default_factory=dict)
    _parts: dict[str, list[str]] = field(default_factory=dict)

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
        return self.graph.op("MatMul", self.one_hot(), x, name="sum_tokens")

    def gate(self, x: str, per_image: str, width: int) -> str:
        """x [M, C] times the image's row of [B, C]."""
        rows = self.graph.op("Gather", per_image, self.image(), axis=0, name="spread")
        return self.graph.op("Mul", x, rows, name="gate")

    def masked(self, x: str) -> str:
        """Packed rows are all alive."""
        return x

    def one_hot(self) -> str:
        """[B, M] in the graph's dtype: 1 where the row belongs to the image."""
        return self._cached("one_hot", self._one_hot)

    def image(self) -> str:
        """The image of each row, int64 [M]."""
        slots = self.graph.const(self.slots, np.int64)
        return self._cached("image", lambda: self.graph.op("Div", self.index, slots, name="image"))

    def align(self, states: States, step: int) -> str:
        """Row of each token of a timestep among the rows of the timestep before, int64."""
        return self._cached(f"align{step}", lambda: self._align(states, step))

    def hand_on(self, states: States) -> None:
        """Leave the last timestep's place map for the next chunk to align with."""
        graph, last = self.graph, self.steps.count - 1
        place = self.place
        if last > 0:
            ahead = graph.op("Sub", place, self._start(last), name="place_in_step")
            place = self.steps.split(ahead)[last]
        states.write_slots(f"block{self.block}.place", place, TensorProto.INT64)

    def _align(self, states: States, step: int) -> str:
        graph = self.graph
        if step > 0:
            before = graph.op("Sub", self._stacked_index(step), self.per_step, name="before")
            row = graph.op("Gather", self.place, before, axis=0, name="row_before")
            return graph.op("Sub", row, self._start(step - 1), name="align")

        def unreachable() -> str:
            raise AssertionError("membranes of t = 1 are zero and need no alignment")

        place = states.read_slots(
            f"block{self.block}.place", TensorProto.INT64, self.slots, unreachable
        )
        return graph.op("Gather", place, self.index_at(0), axis=0, name="align")

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

    def index_at(self, step: int) -> str:
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
        graph = self.graph
        batch = graph.op("Shape", self.live, start=0, end=1, name="batch")
        count = graph.op("Squeeze", batch, name="batch_size")
        images = graph.op(
            "Range", graph.const(0, np.int64), count, graph.const(1, np.int64), name="images"
        )
        column = graph.op("Unsqueeze", images, graph.ints(1), name="image_column")
        equal = graph.op("Equal", column, self.image(), name="belongs")
        return graph.op("Cast", equal, to=graph.float_type, name="one_hot")

    def _cached(self, key: str, emit) -> str:  # type: ignore[no-untyped-def]
        if key not in self._cache:
            self._cache[key] = emit()
        return self._cache[key]


Rows = FullRows | PackedRows | LaggedRows


def pack(
    steps: Steps, block: int, slots: int, x: str, index: str, live: str, batch: str
) -> tuple[str, PackedRows]:
    """The rows of the tokens alive in `live` [B, K].

    Args:
        steps: timesteps among the B.
        block: 1-based number.
        slots: K.
        x: rows [M, D] of all that may be alive.
        index: int64 [M], flat position b * K + k of each.
        live: int32 [B, K], 1 = alive.
        batch: int64 [1], images of one timestep.

    Returns:
        The rows [M', D] that are left, and which they are.
    """
    graph = steps.graph
    per_step = "" if steps.count == 1 else graph.op("Mul", batch, graph.ints(slots), name="slots")
    packed, kept, place = graph.custom("TokenPack", [x, index, live], 3, name="pack")
    return packed, PackedRows(graph, block, slots, live, kept, place, steps, per_step)


def every_row(graph: GraphBuilder, live: str) -> str:
    """Positions of all slots of `live` [B, K], int64 [B * K]."""
    shape = graph.op("Shape", live, name="slots_shape")
    count = graph.op("ReduceProd", shape, keepdims=0, name="slots_count")
    zero, one = graph.const(0, np.int64), graph.const(1, np.int64)
    return graph.op("Range", zero, count, one, name="every_row")
