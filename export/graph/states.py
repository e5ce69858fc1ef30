"""What one timestep hands to the next, inside a graph and across graphs.

`first` starts fresh; `next` is resumed: a value read before it is written becomes the graph input
`state.NAME`, restricted to the images that go on (`alive`). Whatever `next` reads so, both graphs
give out as `next.state.NAME`; the runtime pairs them by name alone.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from export.graph.builder import GraphBuilder, Shape


@dataclass(frozen=True)
class _Entry:
    """A value of the current timestep and the shape it is handed on in."""

    value: str
    elem_type: int
    shape: Shape


class States:
    """The states of one graph under construction.

    Args:
        graph: where nodes go.
        alive: the input with the images that go on, or None in a graph that starts fresh.
    """

    def __init__(self, graph: GraphBuilder, alive: str | None) -> None:
        self.graph, self.alive = graph, alive
        self.inputs: set[str] = set()
        self._alive_slots: dict[int, str] = {}
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
        raw = self.take(name, elem_type, ["B_previous", *tail])
        value = self.graph.op("Gather", raw, self.alive, axis=0, name=f"alive/{name}")
        self.write(name, value, elem_type, tail)
        return value

    def write(self, name: str, value: str, elem_type: int, tail: Shape) -> None:
        """Set a state with one row per image."""
        self.keep(name, value, elem_type, ["B", *tail])

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
        raw = self.take(name, elem_type, [f"S_previous_{name}"])
        rows = self.alive_slots(slots)
        return self.graph.op("Gather", raw, rows, axis=0, name=f"alive/{name}")

    def write_slots(self, name: str, value: str, elem_type: int) -> None:
        """Set a state with one number for each slot of each image."""
        self.keep(name, value, elem_type, [f"S_{name}"])

    def read_scalar(self, name: str, fresh: Callable[[], str]) -> str:
        """A float32 scalar that all images share."""
        if name in self._entries:
            return self._entries[name].value
        return fresh() if self.alive is None else self.take(name, TensorProto.FLOAT, [])

    def write_scalar(self, name: str, value: str) -> None:
        """Set a float32 scalar."""
        self.keep(name, value, TensorProto.FLOAT, [])

    def known(self, name: str) -> str | None:
        """A state as it was written in this graph; None before that."""
        return self._entries[name].value if name in self._entries else None

    def take(self, name: str, elem_type: int, shape: Shape) -> str:
        """A state as the chunk before left it, of all its images: a graph input."""
        self.inputs.add(name)
        return self.graph.input(f"state.{name}", elem_type, shape)

    def keep(self, name: str, value: str, elem_type: int, shape: Shape) -> None:
        """Set a state of any shape."""
        self._entries[name] = _Entry(value, elem_type, shape)

    def alive_slots(self, slots: int) -> str:
        """Positions b * K + k, among the images before, of every slot of those that go on."""
        if slots not in self._alive_slots:
            graph = self.graph
            column = graph.op("Unsqueeze", str(self.alive), graph.ints(1), name="alive/column")
            first = graph.op("Mul", column, graph.const(slots, np.int64), name="alive/first_slot")
            each = graph.op("Add", first, graph.ints(*range(slots)), name="alive/slots")
            flat = graph.op("Reshape", each, graph.ints(-1), name="alive/rows")
            self._alive_slots[slots] = flat
        return self._alive_slots[slots]

    def emit_outputs(self, names: Set[str]) -> None:
        """Give out `names` as `next.state.NAME`."""
        for name in sorted(names):
            entry = self._entries[name]
            self.graph.output(f"next.state.{name}", entry.value, entry.elem_type, entry.shape)
