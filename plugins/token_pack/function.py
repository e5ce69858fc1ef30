"""TokenPack as an ONNX function: NonZero and Gather, and a CumSum for the places."""

from __future__ import annotations

import onnx
from onnx import TensorProto

from plugins.common.body import Body


def token_pack_function() -> onnx.FunctionProto:
    """Return TokenPack's body."""
    body = Body()
    alive = body.op("Reshape", "live", body.ints([-1]))
    going = body.op("NonZero", body.op("Gather", alive, "index", axis=0))
    kept = body.op("Reshape", going, body.ints([-1]))
    body.op("Gather", "x", kept, axis=0, out="packed")
    body.op("Gather", "index", kept, axis=0, out="packed_index")
    count = body.op("CumSum", body.op("Cast", alive, to=TensorProto.INT64), body.const(0, "int64"))
    row = body.op("Sub", count, body.const(1, "int64"))
    absent = body.op("Shape", "packed_index")
    body.op("Where", body.op("Cast", alive, to=TensorProto.BOOL), row, absent, out="place")
    return body.function(
        "TokenPack", ["x", "index", "live"], ["packed", "packed_index", "place"], []
    )
