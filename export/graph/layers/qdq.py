"""int8 as engines take it: QuantizeLinear and DequantizeLinear around exact signed bytes.

TensorRT knows no integer products; it finds layers whose inputs are both dequantised and runs those
in int8. Its scales are symmetric, so activations are int8 with the scale `unit`, which is exact
(export/fold/exact.py), and weights int8 with one scale per output channel. Everything else is
float32.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export.fold.exact import Exact, quantise
from export.fold.folded import FoldedConv, FoldedLinear
from export.graph.builder import GraphBuilder

SPIKE_TYPE = TensorProto.INT8


def activation(graph: GraphBuilder, x: str, exact: Exact, name: str) -> str:
    """`x` = unit * n, float32, by way of n in int8: the same values, float32."""
    scale, zero = _scale(graph, exact), graph.const(0, np.int8)
    n = graph.op("QuantizeLinear", x, scale, zero, name=f"{name}_bytes")
    return graph.op("DequantizeLinear", n, scale, zero, name=f"{name}_exact")


def from_bytes(graph: GraphBuilder, n: str, exact: Exact, name: str) -> str:
    """The float32 values unit * n of int8 `n`."""
    zero = graph.const(0, np.int8)
    return graph.op("DequantizeLinear", n, _scale(graph, exact), zero, name=f"{name}_exact")


def linear_weight(graph: GraphBuilder, layer: FoldedLinear, name: str) -> str:
    """Rounded weights, float32 [in, out], one scale per output."""
    rounded = quantise(layer.weight)
    values, scale = graph.const(rounded.values, np.int8), graph.const(rounded.scale, np.float32)
    return graph.op("DequantizeLinear", values, scale, axis=1, name=f"{name}_weight")


def conv_weight(graph: GraphBuilder, layer: FoldedConv, name: str) -> str:
    """Rounded weights, float32 [out, in, 3, 3], one scale per output channel."""
    rounded = quantise(layer.weight.reshape(layer.weight.shape[0], -1).T)
    values = graph.const(rounded.values.T.reshape(layer.weight.shape), np.int8)
    scale = graph.const(rounded.scale, np.float32)
    return graph.op("DequantizeLinear", values, scale, axis=0, name=f"{name}_weight")


def _scale(graph: GraphBuilder, exact: Exact) -> str:
    return graph.const(exact.unit, np.float32)
