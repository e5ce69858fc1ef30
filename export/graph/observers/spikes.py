"""Graphs that also give out the spikes of every neuron, for comparisons."""

from __future__ import annotations

from dataclasses import dataclass

from export.fold.fold import FoldedLIF
from export.graph.emitter import Emitter
from export.graph.layouts.rows import Rows
from export.graph.observers.spike_names import spike_output


@dataclass
class SpyingEmitter(Emitter):
    """Declares an output `spike.T.NEURON` for every neuron and timestep T of the chunk, from 1.

    Spikes of tokens are [B, K, D], zero where the token is absent, whatever the layout; others have
    one row per image.
    """

    def lif(
        self,
        name: str,
        current: str,
        rows: Rows,
        lif: FoldedLIF,
        width: int,
        *,
        for_linear: bool = False,
        for_attention: bool = False,
        constant: bool = False,
    ) -> str:
        """See `Emitter.lif`; spikes stay floats here, so that they can be given out."""
        spike = super().lif(name, current, rows, lif, width, constant=constant)
        self._watch(name, rows.to_grid(rows.masked(spike), width), [rows.slots, width])
        return spike

    def lif_per_image(
        self,
        name: str,
        current: str,
        lif: FoldedLIF,
        tail: list[int],
        *,
        constant: bool = False,
        elem_type: int | None = None,
    ) -> str:
        """See `Emitter.lif_per_image`."""
        spike = super().lif_per_image(
            name, current, lif, tail, constant=constant, elem_type=elem_type
        )
        if name != "head_lif":
            self._watch(name, spike, tail)
        return spike

    def _watch(self, neuron: str, spikes: str, tail: list[int]) -> None:
        for step, each in enumerate(self.steps.split(spikes), start=1):
            self.graph.output(spike_output(step, neuron), each, self.graph.float_type, ["B", *tail])
