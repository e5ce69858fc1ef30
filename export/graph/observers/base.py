"""What may look on while a graph is emitted, and give out what it saw."""

from __future__ import annotations

from export.fold.folded import FoldedConv, FoldedLinear
from export.graph.layouts.base import Rows
from export.graph.steps import PerStep


class Observer:
    """Is told what is emitted, and may emit nodes of its own; as it stands it does nothing."""

    reads_float_spikes: bool = False  # where spikes are bytes otherwise

    def block_entered(self, number: int, slots: int, live: PerStep | None) -> None:
        """Block `number` runs the tokens `live` int32 [B, K]; all of its K slots where None."""

    def merged(self, number: int, sources: str, width: int) -> None:
        """Tokens merge at the start of block `number`.

        `sources` int32 [B, width]: the slots that disappear, or with a threshold, where all stay,
        1 for each that merged.
        """

    def linear(self, x: str, layer: FoldedLinear, rows: Rows, *, constant: bool) -> None:
        """A layer will read x [M, in].

        `constant`: x is one timestep's, and the same at every other.
        """

    def reused(self, x: str, rows: Rows, width: int) -> None:
        """A layer's output [M, width] of x, the same at every timestep, is carried over."""

    def conv(self, x: str, layer: FoldedConv, stage: int) -> None:
        """The stem's convolution `stage`, from 0, will read x [B, C, H, W]."""

    def summed(self, x: str, size: int) -> None:
        """Spikes x [B, C, H, W], `size` of an image, are added up."""

    def attended(self, spikes: str, rows: Rows) -> None:
        """Attention will mix the spikes q, k, v [M, 3D]."""

    def tokens_fired(self, neuron: str, spikes: str, rows: Rows, width: int) -> None:
        """A neuron on tokens gave the spikes [M, width]."""

    def image_fired(self, neuron: str, spikes: str, tail: list[int]) -> None:
        """A neuron on something every image has once gave the spikes [C * B, *tail]."""

    def blocks_done(self, live: str) -> None:
        """The blocks are complete; `live` int32 [C * B, L] counts the tokens that ran."""

    def give_out(self) -> None:
        """Declare the outputs."""
