"""TokenHalt and TokenHaltSum as ONNX functions.

They are two names, not one op with a `reduce` attribute: the rank of the readout differs, which
one body could only express with If, and If breaks strict shape inference and CUDA graphs.
"""

from __future__ import annotations

import onnx

from plugins.common.body import Body

FLOAT, INT32, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32, onnx.TensorProto.BOOL
INPUTS = ["x", "size", "hist", "cum", "live", "epsilon"]
OUTPUTS = ["readout", "hist_next", "cum_next", "live_next"]
ATTRIBUTES = ["alpha", "beta", "last"]


def token_halt_function() -> onnx.FunctionProto:
    """Return TokenHalt's body: one readout row per token."""
    body = Body()
    values = body.op("Cast", "x", to=FLOAT)
    weight = _halting(body, values)
    column = body.op("Unsqueeze", weight, body.ints([-1]))
    body.op("Mul", column, values, out="readout")
    return body.function("TokenHalt", INPUTS, OUTPUTS, ATTRIBUTES)


def token_halt_sum_function() -> onnx.FunctionProto:
    """Return TokenHaltSum's body: the weights [B, 1, K] times the tokens [B, K, D]."""
    body = Body()
    values = body.op("Cast", "x", to=FLOAT)
    weight = _halting(body, values)
    row = body.op("Unsqueeze", weight, body.ints([1]))
    body.op("Squeeze", body.op("MatMul", row, values), body.ints([1]), out="readout")
    return body.function("TokenHaltSum", INPUTS, OUTPUTS, ATTRIBUTES)


def _halting(body: Body, values: str) -> str:
    """Write hist_next, cum_next and live_next; return the readout weight per token."""
    alive = body.op("Cast", "live", to=FLOAT)
    score = body.op("Mul", body.op("Sigmoid", scores(body, values, "size")), alive)
    body.op("Add", "hist", score, out="hist_next")
    body.op("Add", "cum", "hist_next", out="cum_next")
    halted = decide(body, "cum_next")
    body.op("Where", halted, body.const(0, "int32"), "live", out="live_next")
    rest = body.op("Sub", body.const(1.0, "float32"), "cum")
    return body.op("Mul", body.op("Where", halted, rest, score), alive)


def decide(body: Body, cum_next: str) -> str:
    """Whether each token halts: it has reached 1 - epsilon, or the block is the last."""
    reached = body.op(
        "GreaterOrEqual", cum_next, body.op("Sub", body.const(1.0, "float32"), "epsilon")
    )
    last = body.op("Cast", body.attribute("last", onnx.AttributeProto.INT), to=BOOL)
    return body.op("Or", reached, last)


def scores(body: Body, values: str, size: str) -> str:
    """The scores `alpha * x[..., 0] / size + beta`, in this order of rounding."""
    alpha = body.attribute("alpha", onnx.AttributeProto.FLOAT)
    beta = body.attribute("beta", onnx.AttributeProto.FLOAT)
    first = body.op("Gather", values, body.const(0, "int64"), axis=-1)
    return body.op("Add", body.op("Div", body.op("Mul", alpha, first), size), beta)
