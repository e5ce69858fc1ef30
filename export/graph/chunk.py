"""The ground that everything emitted for one graph stands on: a chunk of timesteps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto

from export.graph.builder import GraphBuilder
from export.graph.states import States
from export.graph.steps import Steps


@dataclass(frozen=True)
class Chunk:
    """One graph under construction, and the timesteps in it.

    Attributes:
        graph: where nodes go.
        states: what it takes from the chunk before and hands to the next.
        steps: its timesteps.
        batch: int64 [1], the number of images of one timestep.
    """

    graph: GraphBuilder
    states: States
    steps: Steps
    batch: str
    _filled: dict[tuple[int, int, float], str] = field(default_factory=dict)

    def filled(self, slots: int, value: float, elem_type: int) -> str:
        """[B, slots] filled with one value."""
        key = (slots, elem_type, value)
        if key not in self._filled:
            graph = self.graph
            shape = graph.op("Concat", self.batch, graph.ints(slots), axis=0, name="shape")
            dtype = np.int32 if elem_type == TensorProto.INT32 else np.float32
            self._filled[key] = graph.op(
                "Expand", graph.const([[value]], dtype), shape, name="filled"
            )
        return self._filled[key]

    def at_every_step(self, value: str) -> str:
        """A value [B, ...], the same at every timestep -> [C * B, ...]."""
        return self.steps.stack([value] * self.steps.count)
