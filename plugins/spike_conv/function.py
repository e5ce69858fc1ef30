"""SpikeConv and SpikeConvInteger as ONNX functions: the dense convolutions."""

from __future__ import annotations

import numpy as np
import onnx

from plugins.common.body import Body
from plugins.patches.function import add_patches


def spike_conv_function() -> onnx.FunctionProto:
    """Return SpikeConv's body: a Conv between transpositions."""
    body = Body()
    planes = body.op("Transpose", "x", perm=[0, 3, 1, 2])
    by_place = body.op("Reshape", "weight", _shape_by_place(body))
    kernel = body.op("Transpose", by_place, perm=[3, 2, 0, 1])
    convolved = body.op("Conv", planes, kernel, "bias", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    body.op("Transpose", convolved, perm=[0, 2, 3, 1], out="current")
    return body.function("SpikeConv", ["x", "weight", "bias"], ["current"], [])


def spike_conv_integer_function() -> onnx.FunctionProto:
    """Return SpikeConvInteger's body: an integer product with every pixel's neighbourhood."""
    body = Body()
    neighbours = add_patches(body, "x")
    body.op("MatMulInteger", neighbours, "weight", out="sums")
    return body.function("SpikeConvInteger", ["x", "weight"], ["sums"], [])


def _shape_by_place(body: Body) -> str:
    """[3, 3, C, O] of weights [9 C, O], int64 [4]."""
    outputs = body.op("Shape", "weight", start=1, end=2)
    sides = body.const([3, 3, -1], np.int64)
    return body.op("Concat", sides, outputs, axis=0)
