"""What one timestep hands to the next, inside a graph and across graphs.

`first` starts fresh; `next` is resumed: a value read before it is written becomes the graph input
`state.NAME`, restricted to the images that go on (`alive`). Whatever `next` reads so, both graphs
give out as `next.state.NAME`; the runtime pairs them by name alone.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from onnx import TensorProto

from export.graph.builder import GraphBuilder, Shape
from export.graph.layouts.lagged import LaggedRows
from export.graph.layouts.rows import FullRows, PackedRows, Rows


def on_grid(rows: Rows) -> TypeGuard[FullRows]:
    """Whether neurons on these rows see the grid [B, K, width], the shape their membranes have.

    Reshaping currents and spikes to and fro is free; a reshaped output of the graph is a copy.
    """
    return isinstance(rows, FullRows) and not rows.as_rows


@dataclass(frozen=True)
class _Entry:
    """A value of the current timestep and the shape it is handed on in."""

    value: str
    elem_type: int
    shape: Shape


@dataclass(frozen=True)
class Potential:
    """A membrane before a timestep.

    Attributes:
        v: the potentials.
        row: int64, the row of `v` of each row of the current; None where they are the same.
    """

    v: str
    row: str | None = None


class States:
    """The states of one graph under construction.

    Args:
        graph: where nodes go.
        alive: the input with the images that go on, or None in a graph that starts fresh.
    """

    def __init__(self, graph: GraphBuilder, alive: str | None) -> None:
        self.graph, self.alive = graph, alive
        self.inputs: set[str] = set()
        self._slots_alive: dict[int, str] = {}
        self._entries: dict[str, _Entry] = {}

    @property
    def resumed(self) -> bool:
        """Whether this graph continues another one."""
        return self.alive is not None

    def read(self, name: str, elem_type: int, tail: Shape, fresh: Callable[[], str]) -> str:
        """A state with one row per image, [B, *tail].

        Args:
            name: of the state.
            elem_type: ONNX element type.
            tail: shape behind the batch axis.
            fresh: emits the initial value.
        """
        if name in self._entries:
            return self._entries[name].value
        if self.alive is None:
            return fresh()
        raw = self._input(name, elem_type, ["B_previous", *tail])
        value = self.graph.op("Gather", raw, self.alive, axis=0, name=f"alive/{name}")
        self.write(name, value, elem_type, tail)
        return value

    def write(self, name: str, value: str, elem_type: int, tail: Shape) -> None:
        """Set a state with one row per image."""
        self._entries[name] = _Entry(value, elem_type, ["B", *tail])

    def once(self, name: str, elem_type: int, tail: Shape, emit: Callable[[], str]) -> str:
        """A value independent of the timestep: emitted by `first`, carried by the others."""
        value = self.read(name, elem_type, tail, emit)
        self.write(name, value, elem_type, tail)
        return value

    def read_slots(self, name: str, elem_type: int, slots: int, fresh: Callable[[], str]) -> str:
        """A state with one number for each slot of each image, [B * slots]; arguments as `read`."""
        if name in self._entries:
            return self._entries[name].value
        if self.alive is None:
            return fresh()
        raw = self._input(name, elem_type, [f"S_previous_{name}"])
        rows = self._alive_slots(slots)
        return self.graph.op("Gather", raw, rows, axis=0, name=f"alive/{name}")

    def write_slots(self, name: str, value: str, elem_type: int) -> None:
        """Set a state with one number for each slot of each image."""
        self._entries[name] = _Entry(value, elem_type, [f"S_{name}"])

    def read_scalar(self, name: str, fresh: Callable[[], str]) -> str:
        """A float32 scalar that all images share."""
        if name in self._entries:
            return self._entries[name].value
        return fresh() if self.alive is None else self._input(name, TensorProto.FLOAT, [])

    def write_scalar(self, name: str, value: str) -> None:
        """Set a float32 scalar."""
        self._entries[name] = _Entry(value, TensorProto.FLOAT, [])

    def read_membrane(self, name: str, rows: Rows, width: int, step: int = 0) -> Potential:
        """A membrane for a timestep's `rows`, [M, width], or [B, K, width] if `on_grid`.

        At t = 1 it is a single zero.
        """
        graph = self.graph
        if name not in self._entries and self.alive is None:
            return Potential(graph.const([0.0]))
        if isinstance(rows, PackedRows):
            return Potential(self._packed(name, rows, width), rows.align(self, step))
        if name in self._entries:
            return Potential(self._entries[name].value)
        if isinstance(rows, LaggedRows):
            previous = self._packed(name, rows, width)
            aligned = graph.op("Gather", previous, rows.at.align, axis=0, name=f"align/{name}")
            return Potential(aligned)
        if rows.as_rows:
            return Potential(self._packed(name, rows, width), self._alive_slots(rows.slots))
        raw = self._input(name, graph.float_type, ["B_previous", rows.slots, width])
        return Potential(raw, str(self.alive))

    def write_membrane(self, name: str, value: str, rows: Rows, width: int) -> None:
        """Set a membrane of a timestep's `rows`, [M, width] or [B, K, width] as it is read."""
        shape: Shape = [f"M_block{rows.block}", width]
        if on_grid(rows):
            shape = ["B", rows.slots, width]
        self._entries[name] = _Entry(value, self.graph.float_type, shape)

    def emit_outputs(self, names: Set[str]) -> None:
        """Give out `names` as `next.state.NAME`."""
        for name in sorted(names):
            entry = self._entries[name]
            self.graph.output(f"next.state.{name}", entry.value, entry.elem_type, entry.shape)

    def _alive_slots(self, slots: int) -> str:
        """Positions b * K + k, among the images before, of every slot of those that go on."""
        if slots not in self._slots_alive:
            graph = self.graph
            column = graph.op("Unsqueeze", str(self.alive), graph.ints(1), name="alive/column")
            first = graph.op("Mul", column, graph.const(slots, np.int64), name="alive/first_slot")
            each = graph.op("Add", first, graph.ints(*range(slots)), name="alive/slots")
            flat = graph.op("Reshape", each, graph.ints(-1), name="alive/rows")
            self._slots_alive[slots] = flat
        return self._slots_alive[slots]

    def _packed(self, name: str, rows: Rows, width: int) -> str:
        if name in self._entries:
            return self._entries[name].value
        return self._input(name, self.graph.float_type, [f"M_previous_block{rows.block}", width])

    def _input(self, name: str, elem_type: int, shape: Shape) -> str:
        self.inputs.add(name)
        return self.graph.input(f"state.{name}", elem_type, shape)
