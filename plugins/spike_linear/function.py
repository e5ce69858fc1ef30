"""SpikeLinear and SpikeLinearInteger as ONNX functions: the dense products."""

from __future__ import annotations

import numpy as np
import onnx

from plugins.common.body import Body
from plugins.common.contract import MICROSOFT
from plugins.common.types import FLOAT


def spike_linear_function() -> onnx.FunctionProto:
    """Return SpikeLinear's body."""
    body = Body()
    body.op("Gemm", "x", "weight", "bias", out="current")
    return body.function("SpikeLinear", ["x", "weight", "bias"], ["current"], [])


def spike_linear_integer_function() -> onnx.FunctionProto:
    """Return SpikeLinearInteger's body.

    ONNX Runtime's own MatMulIntegerToFloat scales and shifts the sums while they are in registers;
    the standard's MatMulInteger, Cast, Mul and Add compute the same in three more passes. The Cast
    changes nothing, and ONNX Runtime removes it; it tells tools that do not know
    MatMulIntegerToFloat the type of its output.
    """
    body = Body()
    one = body.const(1.0, np.float32)
    inputs = ["x", "weight", one, "scale", "", "", "bias"]
    current = body.op("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)
    body.op("Cast", current, to=FLOAT, out="current")
    ports = ["x", "weight", "scale", "bias"]
    return body.function("SpikeLinearInteger", ports, ["current"], [])
