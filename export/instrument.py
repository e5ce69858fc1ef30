"""Graphs that also count the operations their spikes cause (STAS appendix A, eq. 11-12).

Outputs `mac_ops` and `ac_ops`, float32 [B, chunk]: multiply-accumulates and accumulates of each
timestep, by the rules of train/energy.py, from the spikes of the very image. An accumulate is
counted for every unit of a layer's input and every weight it meets; what is computed once and
reused (I-SPS, block 1's currents) is counted as if iterated, which is what eq. 12 does. The first
convolution of an image, the head and the halting decision multiply.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto

from export.emitter import Emitter
from export.fold import FoldedConv, FoldedLinear
from export.int8 import Exact
from export.rows import Rows

FLOAT = TensorProto.FLOAT
# STAS appendix A: the score is one multiplication, two additions follow, then the readout.
HALTING_MACS_BESIDE_READOUT = 3


@dataclass
class CountingEmitter(Emitter):
    """Counts what is emitted; `give_out` declares the outputs."""

    _macs_once: float = 0.0
    _acs: list[str] = field(default_factory=list)
    _done: list[tuple[str, str]] = field(default_factory=list)

    def linear(
        self, x: str, layer: FoldedLinear, name: str, rows: Rows, exact: Exact | None = None
    ) -> str:
        """See `Emitter.linear`."""
        self.reused(x, rows, layer.weight.shape[1])
        return super().linear(x, layer, name, rows, exact)

    def reused(self, x: str, rows: Rows, width: int) -> None:
        """See `Emitter.reused`: its accumulates count at every timestep."""
        self._note(self._units(x, rows), width)

    def attended(self, spikes: str, rows: Rows) -> None:
        """Both products of q, k, v in the cheaper order; SDT masks and sums instead."""
        config = self.plan.config
        meets = 1 if config.arch == "sdt" else min(rows.slots, config.dim // config.heads)
        # Two products, each reading a third of the spikes on average.
        self._note(self._units(spikes, rows), 2 * meets / 3)

    def conv(self, x: str, layer: FoldedConv, name: str, exact: Exact | None = None) -> str:
        """See `Emitter.conv`."""
        stage = int(name.removeprefix("conv")) - 1
        macs = layer.weight.size * float(np.prod(self.plan.config.resolution(stage)))
        if stage == 0 and self.plan.config.input == "image":
            self._macs_once += macs
        else:
            isps = self.plan.config.stem.kind == "isps"
            self._note(self._mean(x), macs * (self.plan.config.timesteps if isps else 1))
        return super().conv(x, layer, name, exact)

    def timestep_done(self, live: str) -> None:
        """See `Emitter.timestep_done`."""
        graph, config = self.graph, self.plan.config
        fixed = config.dim * config.classes + self._macs_once
        per_token = 0
        if config.halting.mode != "none":
            per_token = config.dim + HALTING_MACS_BESIDE_READOUT
        tokens = graph.op("ReduceSum", live, graph.ints(1), keepdims=1, name="live_total")
        macs = self._scaled(graph.op("Cast", tokens, to=FLOAT, name="live_float"), per_token)
        macs = graph.op("Add", macs, graph.const(fixed, np.float32), name="mac_ops_at")
        acs = graph.op("Sum", *self._acs, name="ac_ops_at")
        self._done.append((macs, acs))
        self._macs_once, self._acs = 0.0, []

    def give_out(self) -> None:
        """Declare `mac_ops` and `ac_ops`."""
        chunk = len(self._done)
        for name, columns in zip(("mac_ops", "ac_ops"), zip(*self._done, strict=True), strict=True):
            table = self.graph.op("Concat", *columns, axis=1, name=f"{name}_table")
            self.graph.output(name, table, FLOAT, ["B", chunk])

    def _units(self, x: str, rows: Rows) -> str:
        """Sum of each image's live rows of x [M, C], float32 [B, 1]."""
        graph = self.graph
        wide = graph.op("Cast", rows.masked(x), to=FLOAT, name="counted")
        each = graph.op("ReduceSum", wide, graph.ints(1), keepdims=1, name="counted_rows")
        grid = graph.op("Squeeze", rows.to_grid(each, 1), graph.ints(2), name="counted_grid")
        return graph.op("ReduceSum", grid, graph.ints(1), keepdims=1, name="counted_image")

    def _mean(self, x: str) -> str:
        """Mean magnitude over each image of x [B, C, H, W], float32 [B, 1]."""
        graph = self.graph
        wide = graph.op("Cast", graph.op("Abs", x, name="counted"), to=FLOAT, name="counted_float")
        mean = graph.op("ReduceMean", wide, graph.ints(1, 2, 3), keepdims=0, name="counted_mean")
        return graph.op("Unsqueeze", mean, graph.ints(1), name="counted_image")

    def _note(self, units: str, each: float) -> None:
        self._acs.append(self._scaled(units, each))

    def _scaled(self, units: str, each: float) -> str:
        return self.graph.op("Mul", units, self.graph.const(each, np.float32), name="operations")
