"""Graphs that also count the operations their spikes cause (STAS appendix A, eq. 11-12).

Outputs `mac_ops` and `ac_ops`, float32 [B, chunk]: multiply-accumulates and accumulates of each
timestep, by the rules of train/measure/energy.py, from the spikes of the very image. An accumulate
is counted for every unit of a layer's input and every weight it meets; what is computed once and
reused (I-SPS, block 1's currents) is counted as if iterated, which is what eq. 12 does. The first
convolution of an image, the head and the halting decision multiply.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export.fold.folded import FoldedConv, FoldedLinear
from export.graph.chunk import Chunk
from export.graph.layouts.base import Rows
from export.graph.observers.base import Observer
from train.config import ModelConfig

FLOAT = TensorProto.FLOAT


class Operations(Observer):
    """Counts what is emitted. Counts are float32 [C, B], or [1, B] where timesteps have the same.

    Args:
        chunk: the graph and its timesteps.
        config: the network's.
    """

    def __init__(self, chunk: Chunk, config: ModelConfig) -> None:
        self.graph, self.steps, self._config = chunk.graph, chunk.steps, config
        self._macs_once = 0.0
        # Integers over D stand for so many spikes.
        self._spikes = config.lif.levels if config.architecture.integer else 1
        self._acs: list[str] = []
        self._acs_once: list[str] = []
        self._totals: tuple[str, str] = ("", "")

    def linear(self, x: str, layer: FoldedLinear, rows: Rows, *, constant: bool) -> None:
        """See `Observer.linear`."""
        self._note(self._units(x, rows, constant=constant), layer.weight.shape[1])

    def reused(self, x: str, rows: Rows, width: int) -> None:
        """See `Observer.reused`: its accumulates count at every timestep."""
        self._note(self._units(x, rows, constant=True), width)

    def attended(self, spikes: str, rows: Rows) -> None:
        """Both products of q, k, v in the attention's cheaper order."""
        config = self._config
        meets = config.architecture.attention.meets(rows.slots, config.dim // config.heads)
        # Two products, each reading a third of the spikes on average.
        self._note(self._units(spikes, rows), 2 * meets / 3)

    def conv(self, x: str, layer: FoldedConv, stage: int) -> None:
        """See `Observer.conv`."""
        config = self._config
        macs = layer.weight.size * float(np.prod(config.resolution(stage)))
        if stage == 0 and config.input == "image":
            self._macs_once += macs
        elif config.stem.kind == "isps":
            once = self._scaled(self._mean(x, steps=1), macs * config.timesteps)
            self._acs_once.append(once)
        else:
            self._note(self._mean(x, steps=self.steps.count), macs)

    def summed(self, x: str, size: int) -> None:
        """See `Observer.summed`: an accumulate for every spike."""
        self._note(self._mean(x, steps=self.steps.count), size)

    def blocks_done(self, live: str) -> None:
        """See `Observer.blocks_done`."""
        graph, config = self.graph, self._config
        per_token, per_timestep = config.halting_macs
        tokens = graph.op("ReduceSum", live, graph.ints(1), keepdims=0, name="live_total")
        wide = graph.op("Cast", tokens, to=FLOAT, name="live_float")
        macs = self._scaled(self._by_step(wide, self.steps.count), per_token)
        fixed = np.full(
            (self.steps.count, 1), per_timestep + config.head_width * config.classes, np.float32
        )
        fixed[0] += self._macs_once  # the first convolution of an image, in its first timestep
        macs = graph.op("Add", macs, graph.const(fixed, np.float32), name="mac_ops_by_step")
        counted = [*self._acs, *(self._in_first_step(once) for once in self._acs_once)]
        acs = graph.op("Sum", *counted, name="ac_ops_by_step")
        self._totals = (macs, acs)

    def give_out(self) -> None:
        """Declare `mac_ops` and `ac_ops`."""
        for name, by_step in zip(("mac_ops", "ac_ops"), self._totals, strict=True):
            table = self.graph.op("Transpose", by_step, perm=[1, 0], name=f"{name}_table")
            self.graph.output(name, table, FLOAT, ["B", self.steps.count])

    def _units(self, x: str, rows: Rows, *, constant: bool = False) -> str:
        """Sum of each image's live rows of x [M, C], float32 [C, B] or [1, B]."""
        graph = self.graph
        wide = graph.op("Cast", rows.masked(x), to=FLOAT, name="counted")
        each = graph.op("ReduceSum", wide, graph.ints(1), keepdims=1, name="counted_rows")
        grid = rows.to_grid(each, 1)
        image = graph.op("ReduceSum", grid, graph.ints(1, 2), keepdims=0, name="counted_image")
        return self._by_step(image, 1 if constant else self.steps.count)

    def _mean(self, x: str, *, steps: int) -> str:
        """Mean magnitude over each image of x [B, C, H, W], float32 [steps, B]."""
        graph = self.graph
        wide = graph.op("Cast", graph.op("Abs", x, name="counted"), to=FLOAT, name="counted_float")
        mean = graph.op("ReduceMean", wide, graph.ints(1, 2, 3), keepdims=0, name="counted_mean")
        return self._by_step(mean, steps)

    def _by_step(self, per_image: str, steps: int) -> str:
        """[steps * B] -> [steps, B]."""
        shape = self.graph.ints(steps, -1)
        return self.graph.op("Reshape", per_image, shape, name="counted_by_step")

    def _in_first_step(self, once: str) -> str:
        """[1, B] -> [C, B], zero in the other timesteps."""
        if self.steps.count == 1:
            return once
        pads = self.graph.ints(0, 0, self.steps.count - 1, 0)
        return self.graph.op("Pad", once, pads, name="in_first_step")

    def _note(self, units: str, each: float) -> None:
        self._acs.append(self._scaled(units, each * self._spikes))

    def _scaled(self, units: str, each: float) -> str:
        return self.graph.op("Mul", units, self.graph.const(each, np.float32), name="operations")
