"""Emit LIF neurons through the timesteps of a chunk.

One node takes them all: LIF where every timestep has the same rows (attribute `steps`, so that a
plugin keeps the membranes in registers), PackedLIFSteps where they differ. Only where membranes of
absent tokens are held there is one node a timestep.
"""

from __future__ import annotations

from dataclasses import dataclass

from export.fold.folded import FoldedLIF
from export.graph.chunk import Chunk
from export.graph.membranes import Membrane, Potential


@dataclass(frozen=True)
class Neuron:
    """What one neuron is.

    Attributes:
        name: such as "block1.qkv_lif".
        lif: its constants.
        membrane: its potentials.
        spike_type: ONNX element type of its spikes.
    """

    name: str
    lif: FoldedLIF
    membrane: Membrane
    spike_type: int


def through_time(chunk: Chunk, neuron: Neuron, current: str, *, constant: bool, fused: bool) -> str:
    """Spikes of all timesteps, stacked as `current` is.

    Args:
        chunk: the timesteps.
        neuron: the neuron.
        current: [C * B, *tail], or rows of all timesteps one after the other.
        constant: `current` is one timestep's, and the same at every other.
        fused: one node for all timesteps.
    """
    if fused and neuron.membrane.picked is not None:
        assert not constant, "rows that differ from timestep to timestep have currents of their own"
        return _picked(chunk, neuron, current)
    if fused:
        return _fused(chunk, neuron, current, constant)
    steps, membrane = chunk.steps, neuron.membrane
    spikes_of_steps = []
    currents = [current] * steps.count if constant else membrane.split(current)
    for step, each in enumerate(currents):
        with steps.scope(step):
            before = membrane.read(step)
            spike, after = _fire(chunk, neuron, each, before)
            after = membrane.held(after, before, step)
        membrane.write(after)
        spikes_of_steps.append(spike)
    return steps.stack(spikes_of_steps)


def _fused(chunk: Chunk, neuron: Neuron, current: str, constant: bool) -> str:
    """One node for [C, B, *tail]; spikes [C * B, *tail]."""
    steps, membrane = chunk.steps, neuron.membrane
    tail = membrane.tail
    by_step = steps.repeat(current, 1 + len(tail)) if constant else steps.unfold(current, tail)
    before = membrane.read(0).aligned(chunk.graph, neuron.name)
    spikes, after = _fire(chunk, neuron, by_step, before, steps.count)
    membrane.write(after)
    return steps.fold(spikes, tail)


def _picked(chunk: Chunk, neuron: Neuron, current: str) -> str:
    """One node for rows of all timesteps, each of which has others."""
    assert neuron.membrane.picked is not None
    before, count = neuron.membrane.picked()
    assert before.row is not None
    inputs, lif = [current, before.v, before.row, count], neuron.lif
    spike, v_next = chunk.graph.custom(
        "PackedLIFSteps", inputs, 2, name=neuron.name.split(".")[-1], decay=lif.decay,
        threshold=lif.threshold, reset=lif.reset, spike_type=neuron.spike_type,
    )  # fmt: skip
    neuron.membrane.write(v_next)
    return spike


def _fire(
    chunk: Chunk, neuron: Neuron, current: str, before: Potential, steps: int = 1
) -> tuple[str, str]:
    """The LIF or PackedLIF node: spikes and the membrane after its last timestep."""
    kind, inputs, lif = "LIF", [current, before.v], neuron.lif
    if before.row is not None:
        kind, inputs = "PackedLIF", [*inputs, before.row]
    several = {"steps": steps} if steps > 1 else {}
    spike, v_next = chunk.graph.custom(
        kind, inputs, 2, name=neuron.name.split(".")[-1], decay=lif.decay,
        threshold=lif.threshold, reset=lif.reset, spike_type=neuron.spike_type, **several,
    )  # fmt: skip
    return spike, v_next
