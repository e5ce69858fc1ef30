"""Where the potentials of a neuron are kept between timesteps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from export.graph.builder import GraphBuilder, Shape
from export.graph.chunk import Chunk
from export.graph.states import States


@dataclass(frozen=True)
class Potential:
    """A membrane before a timestep.

    Attributes:
        v: the potentials.
        row: int64, the row of `v` of each row of the current; None where they are the same.
    """

    v: str
    row: str | None = None

    def aligned(self, graph: GraphBuilder, name: str) -> Potential:
        """The potentials in the rows of the current of neuron `name`."""
        if self.row is None:
            return self
        title = f"{name.split('.')[-1]}_rows"
        return Potential(graph.op("Gather", self.v, self.row, axis=0, name=title))


def _after(after: str, before: Potential, step: int) -> str:
    return after


@dataclass(frozen=True)
class Membrane:
    """The potentials of one neuron.

    Attributes:
        tail: shape of a current behind its first axis.
        read: emits the potentials before timestep `step` (from 0) of the chunk.
        write: keeps the potentials after a timestep, or after the chunk.
        split: a current of all timesteps into those of each.
        picked: where rows differ from timestep to timestep: emits the potentials before the chunk,
            with the row of each row of the current, at later timesteps among those of the timestep
            before; and the rows of each timestep, int64 [C].
        held: membranes to keep: `after` for live tokens, `before` for absent ones that can come
            back.
    """

    tail: list[int]
    read: Callable[[int], Potential]
    write: Callable[[str], None]
    split: Callable[[str], list[str]]
    held: Callable[[str, Potential, int], str] = _after
    picked: Callable[[], tuple[Potential, str]] | None = None


def of_images(chunk: Chunk, name: str, tail: list[int], elem_type: int) -> Membrane:
    """Of a neuron on [B, *tail]."""
    zero = chunk.graph.const([0.0], np.float32 if elem_type == TensorProto.FLOAT else None)
    states = chunk.states
    return Membrane(
        tail,
        lambda step: Potential(states.read(name, elem_type, tail, lambda: zero)),
        lambda value: states.write(name, value, elem_type, tail),
        chunk.steps.split,
    )


def before(
    states: States, name: str, shape: Shape, fitted: Callable[[str], Potential]
) -> Potential:
    """A membrane whose rows are the same at every timestep of a chunk.

    A single zero at t = 1; what was written in this chunk; or what the chunk before left.

    Args:
        states: of the graph.
        name: of the neuron.
        shape: of what the chunk before left.
        fitted: that, for the images that go on.
    """
    known = states.known(name)
    if known is not None:
        return Potential(known)
    if not states.resumed:
        return Potential(states.graph.const([0.0]))
    return fitted(states.take(name, states.graph.float_type, shape))


def write_rows(states: States, name: str, value: str, block: int, width: int) -> None:
    """Keep a membrane [M, width] that has the rows of a block."""
    states.keep(name, value, states.graph.float_type, [f"M_block{block}", width])


def left_rows(block: int, width: int) -> Shape:
    """Shape of a membrane that the chunk before left, in its rows of a block."""
    return [f"M_previous_block{block}", width]
