"""Token layouts. Linear layers and neurons see rows [M, C]; these say which token each row is.

    FullRows     every slot of every image has a row, M = B * K; absent ones are masked
    PackedRows   only live tokens have rows; nothing is computed for the others
    LaggedRows   tokens live at the end of the previous chunk have rows (export/lagged.py)

Attention and merging need the grid [B, K, C], zero where a token is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from export.builder import GraphBuilder
from export.lagged import LaggedRows

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
    """The live tokens of block `block`, in order of image and position.

    Attributes:
        graph: where nodes go.
        block: 1-based number.
        slots: K.
        live: int32 [B, K], 1 = alive.
        index: int64 [M], flat position b * K + k of each row.
    """

    graph: GraphBuilder
    block: int
    slots: int
    live: str
    index: str
    _cache: dict[str, str] = field(default_factory=dict)

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

    def vector(self, x: str) -> str:
        """[B, K] -> [M]."""
        flat = self.graph.op("Reshape", x, self.graph.ints(-1), name="flat")
        return self.graph.op("Gather", flat, self.index, axis=0, name="pack")

    def update(self, grid: str, values: str) -> str:
        """[B, K] with `values` [M] written at the live tokens."""
        graph = self.graph
        flat = graph.op("Reshape", grid, graph.ints(-1), name="flat")
        written = graph.op("ScatterElements", flat, self.index, values, axis=0, name="scatter")
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

    def place(self) -> str:
        """Row of each live slot, int64 [B, K] (of an absent one: some row)."""
        graph = self.graph
        return self._cached(
            "place",
            lambda: graph.op(
                "Reshape", self._place_flat(), graph.ints(-1, self.slots), name="place"
            ),
        )

    def place_or_pad(self) -> str:
        """Row of each slot, int64 [B * K]; M, the appended zero row, where absent."""
        return self._cached("place_or_pad", self._place_or_pad)

    def align(self, states: States) -> str:
        """Row of each of these tokens in this block's rows of the previous timestep, int64 [M]."""
        return self._cached("align", lambda: self._align(states))

    def hand_on(self, states: States) -> None:
        """Leave the place map for the next timestep to align with."""
        states.write(f"block{self.block}.place", self.place(), TensorProto.INT64, [self.slots])

    def _align(self, states: States) -> str:
        def unreachable() -> str:
            raise AssertionError("membranes of t = 1 are zero and need no alignment")

        name = f"block{self.block}.place"
        place = states.read(name, TensorProto.INT64, [self.slots], unreachable)
        return self.vector(place)

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


def pack(graph: GraphBuilder, block: int, slots: int, live: str) -> PackedRows:
    """The rows of the tokens alive in `live` [B, K]."""
    flat = graph.op("Reshape", live, graph.ints(-1), name="live_flat")
    found = graph.op("NonZero", flat, name="live_index")
    index = graph.op("Reshape", found, graph.ints(-1), name="index")
    return PackedRows(graph, block, slots, live, index)
