"""Graphs that also give out the spikes of every neuron, for comparisons."""

from __future__ import annotations

from export.graph.chunk import Chunk
from export.graph.layouts.base import Rows
from export.graph.observers.base import Observer
from export.graph.observers.spike_names import spike_output

READOUT = "head_lif"


class Spikes(Observer):
    """Declares an output `spike.T.NEURON` for every neuron and timestep T of the chunk, from 1.

    Spikes of tokens are [B, K, D], zero where the token is absent, whatever the layout; others have
    one row per image. Those of the readout's neuron are not among them.

    Args:
        chunk: the graph and its timesteps.
    """

    reads_float_spikes = True

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk

    def tokens_fired(self, neuron: str, spikes: str, rows: Rows, width: int) -> None:
        """See `Observer.tokens_fired`."""
        self._watch(neuron, rows.to_grid(rows.masked(spikes), width), [rows.slots, width])

    def image_fired(self, neuron: str, spikes: str, tail: list[int]) -> None:
        """See `Observer.image_fired`."""
        if neuron != READOUT:
            self._watch(neuron, spikes, tail)

    def _watch(self, neuron: str, spikes: str, tail: list[int]) -> None:
        graph = self._chunk.graph
        for step, each in enumerate(self._chunk.steps.split(spikes), start=1):
            graph.output(spike_output(step, neuron), each, graph.float_type, ["B", *tail])
