"""Graphs that also give out the spikes of every neuron, for comparisons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from export.emitter import Emitter
from export.fold import FoldedLIF
from export.rows import Rows
from export.spike_names import spike_output


@dataclass
class SpyingEmitter(Emitter):
    """Declares an output `spike.T.NEURON` for every neuron and timestep T of the chunk, from 1.

    Spikes of tokens are [B, K, D], zero where the token is absent, whatever the layout; others have
    one row per image.
    """

    _seen: Counter[str] = field(default_factory=Counter)

    def lif(
        self,
        name: str,
        current: str,
        rows: Rows,
        lif: FoldedLIF,
        width: int,
        *,
        for_linear: bool = False,
    ) -> str:
        """See `Emitter.lif`; spikes stay floats here, so that they can be given out."""
        spike = super().lif(name, current, rows, lif, width)
        self._watch(name, rows.to_grid(rows.masked(spike), width), [rows.slots, width])
        return spike

    def lif_per_image(self, name: str, current: str, lif: FoldedLIF, tail: list[int]) -> str:
        """See `Emitter.lif_per_image`."""
        spike = super().lif_per_image(name, current, lif, tail)
        self._watch(name, spike, tail)
        return spike

    def _watch(self, neuron: str, spikes: str, tail: list[int]) -> None:
        self._seen[neuron] += 1
        name = spike_output(self._seen[neuron], neuron)
        self.graph.output(name, spikes, self.graph.float_type, ["B", *tail])
