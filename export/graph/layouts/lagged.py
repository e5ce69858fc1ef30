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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from export.graph.builder import GraphBuilder
from export.graph.steps import Steps

if TYPE_CHECKING:
    from export.graph.states import States

INT32, INT64, BOOL = TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL


class LaggedIndex:
    """The rows of block `block` for a whole chunk.

    Args:
        graph: where nodes go.
        states: of this graph, which is resumed.
        block: 1-based number, at least 2.
        slots: K.
        batch: int64 [1], the number of images.

    Attributes:
        index: int32 [M], position of each row; 0 for padding.
        valid: int32 [M], 0 for padding.
        place: int32 [B * K], row of each slot; the last row where absent.
        align: int32 [M], where each row was in the previous chunk.
    """

    def __init__(
        self, graph: GraphBuilder, states: States, block: int, slots: int, batch: str
    ) -> None:
        self.graph, self.block, self.slots = graph, block, slots
        rows = graph.input(f"rows.block{block}", INT32, [f"M_block{block}"])
        zero = graph.const(0, np.int32)
        self._is_token = graph.op("GreaterOrEqual", rows, zero, name="is_token")
        self.valid = graph.op("Cast", self._is_token, to=INT32, name="valid")
        self.index = graph.op("Max", rows, zero, name="index")
        self.place = self._places(rows, batch)
        self.align = self._aligned(states)
        self._within: dict[int, str] = {}

    def within(self, other: LaggedIndex) -> str:
        """Row of each of these tokens among `other`'s rows, int32 [M]; slots are the same."""
        if other.block not in self._within:
            self._within[other.block] = self.graph.op(
                "Gather", other.place, self.index, axis=0, name="within"
            )
        return self._within[other.block]

    def _places(self, rows: str, batch: str) -> str:
        """Scatter row numbers to positions; padding goes past the last, each row to its own place.

        TensorRT scatters no more rows than there are places, and no two rows to one place.
        """
        graph = self.graph
        count = graph.op("Shape", rows, name="row_count")
        slots = graph.op("Mul", batch, graph.ints(self.slots), name="slot_count")
        past = graph.op("Cast", slots, to=INT32, name="past_last")
        numbers = counted(graph, count)
        beyond = graph.op("Add", past, numbers, name="beyond")
        positions = graph.op("Where", self._is_token, rows, beyond, name="positions")
        last = graph.op("Sub", graph.op("Cast", count, to=INT32), graph.const([1], np.int32))
        room = graph.op("Add", slots, count, name="slots_and_rows")
        absent = graph.op("Expand", last, room, name="absent")
        place = graph.op("ScatterElements", absent, positions, numbers, axis=0, name="scatter")
        return graph.op("Slice", place, graph.ints(0), slots, graph.ints(0), name="place")

    def _aligned(self, states: States) -> str:
        """Where the rows were: through the previous chunk's places of the images that go on."""
        graph, name = self.graph, f"block{self.block}.place"
        before = states.read(name, INT32, [self.slots], _unreachable)
        flat = graph.op("Reshape", before, graph.ints(-1), name="place_before")
        grid = graph.op("Reshape", self.place, graph.ints(-1, self.slots), name="place_grid")
        states.write(name, grid, INT32, [self.slots])
        return graph.op("Gather", flat, self.index, axis=0, name="align")


@dataclass
class LaggedRows:
    """The rows of `at`, the same at every timestep of the chunk; who is alive changes.

    Attributes:
        at: which token each row is.
        live: int32 [B, K], 1 = alive; B counts the images of all timesteps.
        steps: timesteps of the chunk.
    """

    at: LaggedIndex
    live: str
    steps: Steps
    _cache: dict[str, str] = field(default_factory=dict)

    @property
    def block(self) -> int:
        """1-based number of the block."""
        return self.at.block

    @property
    def slots(self) -> int:
        """Token slots K."""
        return self.at.slots

    def to_grid(self, x: str, width: int) -> str:
        """[M, C] -> [B, K, C]; an absent token has the last row, which `masked` sets to zero."""
        graph = self.at.graph
        flat = self.pick(x, self.at.place, [width], "unpack")
        return graph.op("Reshape", flat, graph.ints(-1, self.slots, width), name="grid")

    def from_grid(self, x: str, width: int) -> str:
        """[B, K, C] -> [M, C]."""
        graph = self.at.graph
        flat = graph.op("Reshape", x, graph.ints(-1, width), name="flat")
        return self.pick(flat, self.at.index, [width], "pack")

    def pick(self, x: str, index: str, tail: list[int], name: str) -> str:
        """Rows `index` of every timestep's part of x [C * N, *tail]; stacked again."""
        axis = 0 if self.steps.count == 1 else 1
        by_step = self.steps.unfold(x, tail)
        picked = self.at.graph.op("Gather", by_step, index, axis=axis, name=name)
        return self.steps.fold(picked, tail)

    def sum_tokens(self, x: str, width: int) -> str:
        """Masked rows [M, C] -> [B, C]."""
        graph = self.at.graph
        return graph.op(
            "ReduceSum", self.to_grid(x, width), graph.ints(1), keepdims=0, name="sum_tokens"
        )

    def gate(self, x: str, per_image: str, width: int) -> str:
        """Rows [M, C] times their image's row of [B, C]."""
        spread = self.pick(per_image, self._image(), [width], "spread")
        return self.at.graph.op("Mul", x, spread, name="gate")

    def masked(self, x: str) -> str:
        """Rows [M, C], absent tokens and padding set to zero."""
        return self.at.graph.op("Mul", x, self._mask(), name="masked")

    def _image(self) -> str:
        """The image of each row of one timestep, int32 [M]."""
        graph, slots = self.at.graph, self.at.graph.const(self.slots, np.int32)
        return self._cached("image", lambda: graph.op("Div", self.at.index, slots, name="image"))

    def _mask(self) -> str:
        """1 = alive, in the graph's dtype [M, 1]."""
        return self._cached("mask", self._live_rows)

    def _live_rows(self) -> str:
        graph, steps = self.at.graph, self.steps.count
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


def every_slot(graph: GraphBuilder, batch: str, slots: int) -> str:
    """Places in `first.onnx`, where slot k of image b is row b * K + k: int32 [B, K]."""
    count = graph.op("Mul", batch, graph.ints(slots), name="slot_count")
    return graph.op("Reshape", counted(graph, count), graph.ints(-1, slots), name="place")


def counted(graph: GraphBuilder, count: str) -> str:
    """0, 1, ..., count - 1 as int32; `count` is int64 [1]."""
    end = graph.op("Squeeze", count, name="count")
    zero, one = graph.const(0, np.int64), graph.const(1, np.int64)
    return graph.op("Cast", graph.op("Range", zero, end, one, name="range"), to=INT32, name="rows")


def _unreachable() -> str:
    raise AssertionError("only a resumed graph has lagged rows")
