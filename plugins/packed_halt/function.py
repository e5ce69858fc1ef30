"""PackedTokenHalt as an ONNX function: rows picked from [B, K], halting, and written back."""

from __future__ import annotations

import numpy as np
import onnx

from plugins.common.body import Body
from plugins.token_halt.function import FLOAT, INT32, decide, scores


def packed_token_halt_function() -> onnx.FunctionProto:
    """Return PackedTokenHalt's body; the readout is a product with the one-hot of images."""
    body = Body()
    shape = body.op("Shape", "hist")
    values = body.op("Cast", "x", to=FLOAT)
    size, hist, cum = (_rows(body, name) for name in ("size", "hist", "cum"))
    score = body.op("Sigmoid", scores(body, values, size))
    hist_rows = body.op("Add", hist, score)
    halted = decide(body, body.op("Add", cum, hist_rows))
    _write(body, "hist", hist_rows, shape, "hist_next")
    body.op("Add", "cum", "hist_next", out="cum_next")
    _live(body, halted, shape)
    weight = body.op("Where", halted, body.op("Sub", body.const(1.0, "float32"), cum), score)
    weighted = body.op("Mul", body.op("Unsqueeze", weight, body.ints([-1])), values)
    body.op("MatMul", _one_hot(body, shape), weighted, out="readout")
    return body.function(
        "PackedTokenHalt",
        ["x", "index", "size", "hist", "cum", "epsilon"],
        ["readout", "hist_next", "cum_next", "live"],
        ["alpha", "beta", "last"],
    )


def _rows(body: Body, grid: str) -> str:
    """[B, K] -> [M]."""
    flat = body.op("Reshape", grid, body.ints([-1]))
    return body.op("Gather", flat, "index", axis=0)


def _write(body: Body, grid: str, rows: str, shape: str, out: str) -> None:
    """[B, K] with the rows [M] written over it."""
    flat = body.op("Reshape", grid, body.ints([-1]))
    written = body.op("ScatterElements", flat, "index", rows, axis=0)
    body.op("Reshape", written, shape, out=out)


def _live(body: Body, halted: str, shape: str) -> None:
    going = body.op("Cast", body.op("Not", halted), to=INT32)
    nobody = body.op("Expand", body.const([[0]], np.int32), shape)
    _write(body, nobody, going, shape, "live")


def _one_hot(body: Body, shape: str) -> str:
    """float32 [B, M]: 1 where the row belongs to the image."""
    batch = body.op("Gather", shape, body.const(0, np.int64))
    slots = body.op("Gather", shape, body.const(1, np.int64))
    images = body.op("Range", body.const(0, np.int64), batch, body.const(1, np.int64))
    column = body.op("Unsqueeze", images, body.ints([1]))
    return body.op("Cast", body.op("Equal", column, body.op("Div", "index", slots)), to=FLOAT)
