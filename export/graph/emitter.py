"""What the parts of a timestep share while a graph is built: linear layers, neurons, constants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from onnx import TensorProto

from export.fold.exact import Exact, quantise
from export.fold.fold import FoldedConv, FoldedLIF, FoldedLinear
from export.fold.network import NetworkPlan
from export.graph import neurons, qdq
from export.graph import products as int8_product
from export.graph.builder import GraphBuilder
from export.graph.layouts.lagged import LaggedIndex
from export.graph.layouts.rows import FullRows, Rows
from export.graph.states import States, on_grid
from export.graph.steps import Steps

Layout = Literal["packed", "dense", "lagged"]


@dataclass
class Emitter:
    """One graph under construction.

    Attributes:
        graph: where nodes go.
        plan: the folded network.
        states: of this graph.
        layout: `packed`, `dense` or `lagged`.
        batch: int64 [1], the number of images of one timestep.
        epsilon: float32 [].
        steps: timesteps of the chunk.
        int8: products of bytes where activations are exact in them.
        qdq: those products are written for engines, not for ONNX Runtime (export/graph/qdq.py).
    """

    graph: GraphBuilder
    plan: NetworkPlan
    states: States
    layout: Layout
    batch: str
    epsilon: str
    steps: Steps
    int8: bool = False
    qdq: bool = False
    _bytes: set[str] = field(default_factory=set)
    _filled: dict[tuple[int, int, float], str] = field(default_factory=dict)
    _lagged: dict[int, LaggedIndex] = field(default_factory=dict)

    @property
    def holds_membranes(self) -> bool:
        """In mode `block` an absent token can come back, so its membranes are held (section 2)."""
        return self.plan.config.halting.mode == "block"

    @property
    def fuses_steps(self) -> bool:
        """Whether one LIF node takes all timesteps of the chunk; packed rows differ between them.

        All LIF nodes of a graph must agree, since they share one function body.
        """
        return self.steps.count > 1 and self.layout != "packed" and not self.holds_membranes

    def linear(
        self,
        x: str,
        layer: FoldedLinear,
        name: str,
        rows: Rows,
        exact: Exact | None = None,
        *,
        constant: bool = False,
    ) -> str:
        """X [M, in] on `rows` -> [M, out]; one Gemm, bias included.

        In int8, and where `exact` says that bytes hold x: a product of bytes.
        `constant`: x is one timestep's, and the same at every other.
        """
        graph = self.graph
        weight = ""
        if self._in_bytes(exact):
            assert exact is not None
            if not self.qdq:
                return self._integer_linear(x, layer, name, exact)
            known = qdq.from_bytes if x in self._bytes else qdq.activation
            x, weight = known(graph, x, exact, name), qdq.linear_weight(graph, layer, name)
        weight = weight or graph.const(layer.weight)
        return graph.op("Gemm", x, weight, graph.const(layer.bias), name=name)

    def _in_bytes(self, exact: Exact | None) -> bool:
        """Whether a layer whose input is `exact` becomes a product of bytes."""
        if not self.int8 or exact is None:
            return False
        return exact.fits_signed if self.qdq else exact.fits

    def _integer_linear(self, x: str, layer: FoldedLinear, name: str, exact: Exact) -> str:
        weights = quantise(layer.weight)
        n = self.as_bytes(x, exact, name)
        return int8_product.current(self.graph, n, exact, weights, layer.bias, name)

    def reused(self, x: str, rows: Rows, width: int) -> None:
        """A linear layer's output [M, width] of x, the same at every timestep, is carried over."""

    def attended(self, spikes: str, rows: Rows) -> None:
        """Attention mixes the spikes q, k, v [M, 3D]."""

    def chunk_done(self, live: str) -> None:
        """The blocks are complete; `live` int32 [C * B, L] are the tokens that ran."""

    def as_bytes(self, x: str, exact: Exact, name: str) -> str:
        """The integers n of x = unit * n, as uint8."""
        if x in self._bytes:
            return x
        if exact.unit == 1:
            return self.graph.op("Cast", x, to=TensorProto.UINT8, name=f"{name}_bytes")
        unit, zero = self.graph.const(exact.unit, np.float32), self.graph.const(0, np.uint8)
        return self.graph.op("QuantizeLinear", x, unit, zero, name=f"{name}_bytes")

    def conv(self, x: str, layer: FoldedConv, name: str, exact: Exact | None = None) -> str:
        """X [B, C, H, W] -> [B, C', H, W]; for engines in int8 where `exact` allows it.

        ONNX Runtime's CPU has no integer convolution that is faster than the float one.
        """
        graph = self.graph
        bias = graph.const(layer.bias)
        if self.qdq and self._in_bytes(exact):
            assert exact is not None
            x = qdq.activation(graph, x, exact, name)
            weight = qdq.conv_weight(graph, layer, name)
        else:
            weight = graph.const(layer.weight)
        return graph.op("Conv", x, weight, bias, kernel_shape=[3, 3], pads=[1, 1, 1, 1], name=name)

    def pool(self, x: str, name: str) -> str:
        """Max-pool (3, stride 2, padding 1)."""
        return self.graph.op(
            "MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], name=name
        )

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
        """A neuron on token rows [M, width]; its membrane is a state.

        `for_linear`: only a linear layer reads the spikes, so in int8 they are bytes.
        `for_attention`: only attention reads them.
        `constant`: the current is one timestep's, and the same at every other.
        """
        as_bytes = (self.int8 and for_linear) or (for_attention and self._attention_takes_bytes)
        grid = rows if on_grid(rows) else None
        shaped = grid.to_grid(current, width) if grid else current
        membrane = neurons.of_tokens(self, name, rows, width)
        kind = self._byte_type if as_bytes else self.graph.float_type
        spike = neurons.through_time(
            self, name, shaped, lif, membrane, constant=constant, spike_type=kind
        )
        spike = grid.from_grid(spike, width) if grid else spike
        if as_bytes:
            self._bytes.add(spike)
        return spike

    @property
    def _attention_takes_bytes(self) -> bool:
        """A quarter of the memory; not in graphs that engines are built from: plugins, masks."""
        packed = self.layout == "packed" and self.graph.float_type == TensorProto.FLOAT
        return packed and self.plan.config.arch != "sdt"

    @property
    def _byte_type(self) -> int:
        return qdq.SPIKE_TYPE if self.qdq else int(TensorProto.UINT8)

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
        """A neuron on something every image has once: a feature map, SDT's gate, the readout.

        Args:
            name: of the neuron.
            current: [C * B, *tail].
            lif: its constants.
            tail: shape behind the batch axis.
            constant: the current is one timestep's, and the same at every other.
            elem_type: of current, membrane and spikes; by default the graph's.
        """
        kind = elem_type or self.graph.float_type
        membrane = neurons.of_images(self, name, tail, kind)
        return neurons.through_time(
            self, name, current, lif, membrane, constant=constant, spike_type=kind
        )

    @contextmanager
    def step_scope(self, step: int) -> Iterator[None]:
        """Names of what is emitted for one timestep of several."""
        if self.steps.count == 1:
            yield
            return
        with self.graph.scope(f"t{step + 1}"):
            yield

    def full_rows(self, block: int, slots: int, live: str | None = None) -> FullRows:
        """All slots of a block; the packed layout keeps their membranes as rows too."""
        return FullRows(self.graph, block, slots, live, as_rows=self.layout == "packed")

    def lagged_index(self, block: int, slots: int) -> LaggedIndex:
        """The rows of a block for this chunk, emitted once."""
        if block not in self._lagged:
            self._lagged[block] = LaggedIndex(self.graph, self.states, block, slots, self.batch)
        return self._lagged[block]

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
