"""Emit products of bytes for ONNX Runtime on a CPU.

`MatMulIntegerToFloat` is ONNX Runtime's own op: it scales and shifts the integer sums while they
are in registers, where MatMulInteger, Cast, Mul and Add of the standard pass over them three times
more. The values are the same.
"""

from __future__ import annotations

import numpy as np

from export.fold.exact import Exact, Quantised
from export.fold.folded import Array
from export.graph.builder import GraphBuilder

DOMAIN = "com.microsoft"


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
    return graph.op("MatMulIntegerToFloat", *inputs, name=name, domain=DOMAIN)
