"""Graphs that also give out which tokens ran, and which merged into others."""

from __future__ import annotations

from onnx import TensorProto

from export.graph.chunk import Chunk
from export.graph.observers.base import Observer
from export.graph.steps import PerStep

INT32 = TensorProto.INT32


class LiveMasks(Observer):
    """Declares the outputs `live.blockN` int32 [B, chunk, K], 1 = alive.

    Where tokens merge, the first graph also gives out `merged.blockN`: the slots int32 [B, gamma],
    of those that arrive at the block, that disappear there at every timestep; or with a threshold
    int32 [B, K], 1 for each slot that merges there.

    Args:
        chunk: the graph and its timesteps.
    """

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self._masks: dict[int, tuple[str, int]] = {}  # int32 [C * B, K], and K
        self._merged: dict[int, tuple[str, int]] = {}  # int32 [B, width], and width

    def block_entered(self, number: int, slots: int, live: PerStep | None) -> None:
        """See `Observer.block_entered`."""
        chunk = self._chunk
        mask = live.stacked if live else chunk.at_every_step(chunk.filled(slots, 1, INT32))
        self._masks[number] = (mask, slots)

    def merged(self, number: int, sources: str, width: int) -> None:
        """See `Observer.merged`."""
        if not self._chunk.states.resumed:
            self._merged[number] = (sources, width)

    def give_out(self) -> None:
        """Declare them."""
        graph, steps = self._chunk.graph, self._chunk.steps
        with graph.scope("record"):
            for number, (mask, slots) in self._masks.items():
                shown = steps.by_image(mask, slots)
                graph.output(f"live.block{number}", shown, INT32, ["B", steps.count, slots])
            for number, (sources, width) in self._merged.items():
                graph.output(f"merged.block{number}", sources, INT32, ["B", width])
