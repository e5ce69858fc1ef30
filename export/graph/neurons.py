"""Emit LIF neurons through the timesteps of a chunk.

Where every timestep has the same rows one node takes them all (attribute `steps`), so that a plugin
keeps the membranes in registers; elsewhere there is one node a timestep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from export.fold.fold import FoldedLIF
from export.graph.layouts.rows import FullRows, PackedRows, Rows
from export.graph.states import Potential, on_grid

if TYPE_CHECKING:
    from export.graph.emitter import Emitter


@dataclass(frozen=True)
class Membrane:
    """Where the potentials of a neuron are kept between timesteps.

    Attributes:
        tail: shape of a current behind its first axis.
        read: emits the potentials before timestep `step` (from 0) of the chunk.
        write: keeps the potentials after a timestep, or after the chunk.
        split: a current of all timesteps into those of each.
        held: the potentials to keep after timestep `step`, of those after and before it.
    """

    tail: list[int]
    read: Callable[[int], Potential]
    write: Callable[[str], None]
    split: Callable[[str], list[str]]
    held: Callable[[str, Potential, int], str] = lambda after, before, step: after


def of_tokens(e: Emitter, name: str, rows: Rows, width: int) -> Membrane:
    """Of a neuron on token rows [M, width], or on their grid [B, K, width]."""
    alive: list[str] = []

    def held(after: str, before: Potential, step: int) -> str:
        """In mode `block` an absent token's membrane [B, K, width] stays as it was."""
        if not (e.holds_membranes and isinstance(rows, FullRows) and rows.live is not None):
            return after
        if not alive:
            mask = e.graph.op("Cast", rows.mask(), to=TensorProto.BOOL, name="alive")
            alive.extend(e.steps.split(rows.to_grid(mask, 1)))
        kept = _aligned(e, name, before).v
        return e.graph.op("Where", alive[step], after, kept, name="held")

    return Membrane(
        [rows.slots, width] if on_grid(rows) else [width],
        lambda step: e.states.read_membrane(name, rows, width, step),
        lambda value: e.states.write_membrane(name, value, rows, width),
        rows.split if isinstance(rows, PackedRows) else e.steps.split,
        held,
    )


def of_images(e: Emitter, name: str, tail: list[int], elem_type: int) -> Membrane:
    """Of a neuron on [B, *tail]."""
    zero = e.graph.const([0.0], np.float32 if elem_type == TensorProto.FLOAT else None)
    return Membrane(
        tail,
        lambda step: Potential(e.states.read(name, elem_type, tail, lambda: zero)),
        lambda value: e.states.write(name, value, elem_type, tail),
        e.steps.split,
    )


def through_time(
    e: Emitter,
    name: str,
    current: str,
    lif: FoldedLIF,
    membrane: Membrane,
    *,
    constant: bool,
    spike_type: int,
) -> str:
    """Spikes of all timesteps, stacked as `current` is.

    Args:
        e: the graph.
        name: of the neuron.
        current: [C * B, *tail], or rows of all timesteps one after the other.
        lif: the neuron's constants.
        membrane: its potentials.
        constant: `current` is one timestep's, and the same at every other.
        spike_type: ONNX element type of the spikes.
    """
    if e.fuses_steps:
        spikes = _fused(e, name, current, lif, membrane, constant, spike_type)
        return e.steps.fold(spikes, membrane.tail)
    currents = [current] * e.steps.count if constant else membrane.split(current)
    spikes_of_steps = []
    for step, each in enumerate(currents):
        with e.step_scope(step):
            before = membrane.read(step)
            spike, after = _fire(e, name, each, before, lif, spike_type)
            after = membrane.held(after, before, step)
        membrane.write(after)
        spikes_of_steps.append(spike)
    return e.steps.stack(spikes_of_steps)


def _fused(
    e: Emitter,
    name: str,
    current: str,
    lif: FoldedLIF,
    membrane: Membrane,
    constant: bool,
    spike_type: int,
) -> str:
    """One node: [C, B, *tail]."""
    tail = membrane.tail
    by_step = e.steps.repeat(current, 1 + len(tail)) if constant else e.steps.unfold(current, tail)
    before = _aligned(e, name, membrane.read(0))
    spikes, after = _fire(e, name, by_step, before, lif, spike_type, e.steps.count)
    membrane.write(after)
    return spikes


def _aligned(e: Emitter, name: str, before: Potential) -> Potential:
    """The potentials in the rows of the current."""
    if before.row is None:
        return before
    title = name.split(".")[-1]
    return Potential(e.graph.op("Gather", before.v, before.row, axis=0, name=f"{title}_rows"))


def _fire(
    e: Emitter,
    name: str,
    current: str,
    before: Potential,
    lif: FoldedLIF,
    spike_type: int,
    steps: int = 1,
) -> tuple[str, str]:
    """The LIF or PackedLIF node: spikes and the membrane after its last timestep."""
    kind, inputs = "LIF", [current, before.v]
    if before.row is not None:
        kind, inputs = "PackedLIF", [*inputs, before.row]
    several = {"steps": steps} if steps > 1 else {}
    spike, v_next = e.graph.custom(
        kind, inputs, 2, name=name.split(".")[-1], decay=lif.decay,
        threshold=lif.threshold, reset=lif.reset, spike_type=spike_type, **several,
    )  # fmt: skip
    return spike, v_next
