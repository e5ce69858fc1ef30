"""Emit convolutional stages in the stem's place (`train/architectures/stages.py`)."""

from __future__ import annotations

import math

from export.fold.exact import stage_range
from export.graph.emitter import Emitter
from export.graph.stem.stem import pool, to_tokens
from train.architectures.stages import gates, read_currents, sizes


def tokens_of_chunk(e: Emitter, current: str, *, constant: bool) -> str:
    """The first convolution's current to tokens [C * B, K, D].

    `constant`: the current is one timestep's, and the same at every other.
    """
    stages, convs = _Stages(e, constant), e.plan.config.stages
    for index, conv in enumerate(convs):
        number = index + 1
        if index > 0:
            exact = stage_range(e.plan.config, index)
            current = e.conv(stages.taken(index), e.plan.stem.convs[index], f"conv{number}", exact)
        current = pool(e, current, f"pool{number}") if conv.pool else current
        stages.leave(index, current)
    return to_tokens(e, stages.left[-1])


class _Stages:
    """What convolutions leave and take, as they are emitted.

    Args:
        e: the graph.
        constant: the first convolution's current is one timestep's, and the same at every other.
    """

    def __init__(self, e: Emitter, constant: bool) -> None:
        self.left: list[str] = []
        self._e, self._constant = e, constant
        config = e.plan.config
        self._convs, self._sizes = config.stages, sizes(config.stages, config.image_size)[1]
        self._lif_first = config.architecture.lif_first
        self._read, self._gated = read_currents(self._convs), gates(self._convs)
        self._spikes: dict[int, str] = {}

    def leave(self, index: int, current: str) -> None:
        """The current of convolution `index` is there."""
        x = current if self._lif_first else self._fired(index, index, current)
        adds = self._convs[index].adds
        if adds >= 0:
            x = self._e.graph.op("Add", x, self.left[adds], name=f"residual{index + 1}")
        self.left.append(x)

    def taken(self, index: int) -> str:
        """What convolution `index` takes."""
        conv = self._convs[index]
        x = self._current_spikes(conv.takes) if self._lif_first else self.left[conv.takes]
        return x if conv.gate < 0 else self._opened(x, index)

    def _current_spikes(self, index: int) -> str:
        """Of the current that convolution `index` left."""
        if index not in self._spikes:
            number = self._read.index(index)
            self._spikes[index] = self._fired(number, index, self.left[index])
        return self._spikes[index]

    def _fired(self, number: int, index: int, current: str) -> str:
        """Spikes of neuron `number` on a current of convolution `index`."""
        plan, tail = self._e.plan.stem, self._shape(index)
        lif = plan.residual_lif if self._lif_first else plan.lif
        once = self._constant and index == 0
        return self._e.lif_per_image(f"stem.lif{number + 1}", current, lif, tail, constant=once)

    def _shape(self, index: int) -> list[int]:
        """Of what convolution `index` leaves of an image, [D, H, W] or [H, W, D]."""
        channels, sides = self._convs[index].width, self._sizes[index]
        return [*sides, channels] if self._e.spike_ops else [channels, *sides]

    def _opened(self, x: str, index: int) -> str:
        """`x` [C * B, D, H, W], or [C * B, H, W, D], in the places and heads whose gate fires."""
        graph, heads, conv = self._e.graph, self._e.plan.config.heads, self._convs[index]
        number, places = self._gated.index(index) + 1, math.prod(self._sizes[conv.gate])
        tail = [places, heads] if self._e.spike_ops else [heads, places]
        at = 3 if self._e.spike_ops else 2  # the axis of a head's channels
        split, axis = [-1, *tail], graph.ints(at)
        split.insert(at, conv.width // heads)
        q = graph.op("Reshape", self.left[conv.gate], graph.ints(*split), name=f"gate{number}_q")
        sums = graph.op("ReduceSum", q, axis, keepdims=0, name=f"gate{number}_sums")
        self._e.summed(self.left[conv.gate], conv.width * places)
        gate = self._e.lif_per_image(f"stem.gate{number}", sums, self._e.plan.stem.gate_lif, tail)
        wide = graph.op("Unsqueeze", gate, axis, name=f"gate{number}_wide")
        k = graph.op("Reshape", x, graph.ints(*split), name=f"gate{number}_k")
        opened = graph.op("Mul", k, wide, name=f"gate{number}_opened")
        shape = graph.ints(-1, *self._shape(conv.gate))
        return graph.op("Reshape", opened, shape, name=f"gate{number}_map")
