"""What the parts of a timestep share while a graph is built: linear layers, neurons, constants."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto

from export.fold.exact import Exact, quantise
from export.fold.folded import FoldedConv, FoldedLinear, NetworkPlan
from export.fold.folded import Neuron as FoldedNeuron
from export.graph import membranes
from export.graph.builder import GraphBuilder
from export.graph.chunk import Chunk
from export.graph.layers import convs, products, qdq
from export.graph.layouts.base import Layout, Rows
from export.graph.neurons import Neuron, through_time
from export.graph.observers.base import Observer
from export.graph.rates import rate
from export.graph.states import States
from export.graph.steps import Steps
from train.staircase import Staircase


@dataclass
class Emitter:
    """One graph under construction.

    Attributes:
        chunk: where nodes go, and the timesteps in it.
        plan: the folded network.
        layout: chooses the rows of every block.
        epsilon: float32 [].
        observers: are told what is emitted.
        int8: products of bytes where activations are exact in them.
        qdq: those products are for engines, not for ONNX Runtime (export/graph/layers/qdq.py).
        spike_ops: layers whose input is mostly zero pay for the rest alone (plugins/spike_linear).
    """

    chunk: Chunk
    plan: NetworkPlan
    layout: Layout
    epsilon: str
    observers: tuple[Observer, ...] = ()
    int8: bool = False
    qdq: bool = False
    spike_ops: bool = False
    _bytes: set[str] = field(default_factory=set)

    @property
    def graph(self) -> GraphBuilder:
        """Where nodes go."""
        return self.chunk.graph

    @property
    def states(self) -> States:
        """Of this graph."""
        return self.chunk.states

    @property
    def steps(self) -> Steps:
        """Timesteps of the chunk."""
        return self.chunk.steps

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
        """X [M, in] on `rows` -> [M, out]; one Gemm or SpikeLinear, bias included.

        In int8, and where `exact` says that bytes hold x: a product of bytes.
        `constant`: x is one timestep's, and the same at every other.
        """
        for observer in self.observers:
            observer.linear(x, layer, rows, constant=constant)
        graph = self.graph
        weight = ""
        if self._in_bytes(exact):
            assert exact is not None
            if not self.qdq:
                return self._integer_linear(x, layer, name, exact)
            known = qdq.from_bytes if x in self._bytes else qdq.activation
            x, weight = known(graph, x, exact, name), qdq.linear_weight(graph, layer, name)
        weight = weight or graph.const(layer.weight)
        inputs = [x, weight, graph.const(layer.bias)]
        if self.spike_ops and exact is not None:
            return graph.custom("SpikeLinear", inputs, 1, name=name)[0]
        return graph.op("Gemm", *inputs, name=name)

    def _in_bytes(self, exact: Exact | None) -> bool:
        """Whether a layer whose input is `exact` becomes a product of bytes."""
        if not self.int8 or exact is None:
            return False
        return exact.fits_signed if self.qdq else exact.fits

    def _integer_linear(self, x: str, layer: FoldedLinear, name: str, exact: Exact) -> str:
        weights = quantise(layer.weight)
        n = self.as_bytes(x, exact, name)
        if self.spike_ops:
            return products.spike_current(self.graph, n, exact, weights, layer.bias, name)
        return products.current(self.graph, n, exact, weights, layer.bias, name)

    def reused(self, x: str, rows: Rows, width: int) -> None:
        """A linear layer's output [M, width] of x, the same at every timestep, is carried over."""
        for observer in self.observers:
            observer.reused(x, rows, width)

    def attended(self, spikes: str, rows: Rows) -> None:
        """Attention mixes the spikes q, k, v [M, 3D]."""
        for observer in self.observers:
            observer.attended(spikes, rows)

    def summed(self, x: str, size: int) -> None:
        """Spikes x [B, C, H, W], `size` of an image, are added up."""
        for observer in self.observers:
            observer.summed(x, size)

    def as_bytes(self, x: str, exact: Exact, name: str) -> str:
        """The integers n of x = unit * n, as uint8."""
        if x in self._bytes:
            return x
        if exact.unit == 1:
            return self.graph.op("Cast", x, to=TensorProto.UINT8, name=f"{name}_bytes")
        unit, zero = self.graph.const(exact.unit, np.float32), self.graph.const(0, np.uint8)
        return self.graph.op("QuantizeLinear", x, unit, zero, name=f"{name}_bytes")

    def conv(self, x: str, layer: FoldedConv, name: str, exact: Exact | None = None) -> str:
        """X [B, C, H, W] -> [B, C', H', W']; for engines in int8 where `exact` allows it.

        ONNX Runtime's CPU has no integer convolution that is faster than the float one. With spike
        ops, where `exact` says that x is mostly zero, channels are last (layers/convs.py).
        """
        stage = int(name.removeprefix("conv")) - 1
        for observer in self.observers:
            observer.conv(x, layer, stage)
        graph, weight = self.graph, ""
        if self.spike_ops and exact is not None:
            return convs.of_spikes(graph, x, layer, name, self.plan.config.resolution(stage))
        bias = graph.const(layer.bias)
        if self.qdq and self._in_bytes(exact):
            assert exact is not None
            x = qdq.activation(graph, x, exact, name)
            weight = qdq.conv_weight(graph, layer, name)
        return convs.dense(graph, x, layer, name, bias, weight)

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
        lif: FoldedNeuron,
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
        if isinstance(lif, Staircase):
            spike = rate(self.graph, current, lif, name.split(".")[-1])
            for observer in self.observers:
                observer.tokens_fired(name, spike, rows, width)
            return spike
        as_bytes = (self.int8 and for_linear) or (for_attention and self._attention_takes_bytes)
        as_bytes = as_bytes and not any(each.reads_float_spikes for each in self.observers)
        kind = self._byte_type if as_bytes else self.graph.float_type
        shaped = rows.to_neurons(current, width)
        neuron = Neuron(name, lif, rows.membrane(name, width), kind)
        spike = rows.from_neurons(self._through_time(neuron, shaped, constant), width)
        if as_bytes:
            self._bytes.add(spike)
        for observer in self.observers:
            observer.tokens_fired(name, spike, rows, width)
        return spike

    def _through_time(self, neuron: Neuron, current: str, constant: bool) -> str:
        fused = self.layout.fuses_steps
        return through_time(self.chunk, neuron, current, constant=constant, fused=fused)

    @property
    def _attention_takes_bytes(self) -> bool:
        """A quarter of the memory; not in graphs that engines are built from: plugins, masks."""
        able = self.layout.attention_reads_bytes and self.graph.float_type == TensorProto.FLOAT
        architecture = self.plan.config.architecture
        return able and architecture.attention.has_op and not architecture.integer

    @property
    def _byte_type(self) -> int:
        return qdq.SPIKE_TYPE if self.qdq else int(TensorProto.UINT8)

    def as_float32(self, x: str, name: str) -> str:
        """A value of the graph's dtype in float32."""
        if self.graph.float_type == TensorProto.FLOAT:
            return x
        return self.graph.op("Cast", x, to=TensorProto.FLOAT, name=f"{name}_float32")

    def mean_over_tokens(self, grid: str) -> str:
        """[C * B, K, D] -> float32 [C * B, D]."""
        graph, grid = self.graph, self.as_float32(grid, "grid")
        return graph.op("ReduceMean", grid, graph.ints(1), keepdims=0, name="readout")

    def lif_per_image(
        self,
        name: str,
        current: str,
        lif: FoldedNeuron,
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
        if isinstance(lif, Staircase):
            spikes = rate(self.graph, current, lif, name.split(".")[-1], kind)
        else:
            membrane = membranes.of_images(self.chunk, name, tail, kind)
            spikes = self._through_time(Neuron(name, lif, membrane, kind), current, constant)
        for observer in self.observers:
            observer.image_fired(name, spikes, tail)
        return spikes
