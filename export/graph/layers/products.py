"""Emit products of bytes for ONNX Runtime on a CPU: dense ones, or ops that pay for spikes alone.

`MatMulIntegerToFloat` is ONNX Runtime's own op: it scales and shifts the integer sums while they
are in registers, where MatMulInteger, Cast, Mul and Add of the standard pass over them three times
more. The values are the same.
"""

from __future__ import annotations

import numpy as np

from export.fold.exact import Exact, Quantised
from export.fold.folded import Array, FoldedConv
from export.graph.builder import GraphBuilder
from plugins.common.contract import MICROSOFT


def sums(graph: GraphBuilder, n: str, weights: Quantised, name: str) -> str:
    """N Q: uint8 [..., in] -> int32 [..., out]."""
    return graph.op("MatMulInteger", n, graph.const(weights.values, np.int8), name=name)


def current(
    graph: GraphBuilder, n: str, exact: Exact, weights: Quantised, bias: Array, name: str
) -> str:
    """(s * unit) * (n Q) + b: uint8 [..., in] -> float32 [..., out]."""
    values, unit = graph.const(weights.values, np.int8), graph.const(exact.unit, np.float32)
    scale, shift = graph.const(weights.scale, np.float32), graph.const(bias, np.float32)
    inputs = [n, values, unit, scale, "", "", shift]
    return graph.op("MatMulIntegerToFloat", *inputs, name=name, domain=MICROSOFT)


def spike_sums(graph: GraphBuilder, n: str, weights: Quantised, name: str) -> str:
    """The sums of a 3x3 convolution: uint8 [B, H, W, C] -> int32 [B, H, W, C']."""
    inputs = [n, graph.const(weights.values, np.int8)]
    return graph.custom("SpikeConvInteger", inputs, 1, name=name)[0]


def spike_current(
    graph: GraphBuilder, n: str, exact: Exact, weights: Quantised, bias: Array, name: str
) -> str:
    """`current` of uint8 [M, in], which is mostly zero."""
    scale = graph.const(scale_of(weights, exact), np.float32)
    inputs = [n, graph.const(weights.values, np.int8), scale, graph.const(bias, np.float32)]
    return graph.custom("SpikeLinearInteger", inputs, 1, name=name)[0]


def scale_of(weights: Quantised, exact: Exact) -> Array:
    """Current per unit of the integer sums, float32 [out]; exact, since units are powers of two."""
    return np.asarray(weights.scale * np.float32(exact.unit), np.float32)


def as_matrix(conv: FoldedConv) -> Array:
    """[out, in, 3, 3] -> [9 * in, out], rows in the order of Patches and SpikeConv."""
    return np.ascontiguousarray(conv.weight.transpose(2, 3, 1, 0).reshape(-1, conv.weight.shape[0]))
