"""SpikeAttention and PackedAttention as ONNX functions: rows to heads, two products, and back."""

from __future__ import annotations

import onnx

from plugins.common.bodies import Bodies
from plugins.common.body import Body


def spike_attention_function(of: Bodies) -> onnx.FunctionProto:
    """Return SpikeAttention's body."""
    body = Body()
    joined = _mixed(body, body.op("Cast", "spikes", to=of.attention_type), of)
    body.op("Reshape", joined, body.ints([-1, of.dim]), out="mixed")
    return body.function("SpikeAttention", ["spikes"], ["mixed"], ["slots"])


def packed_attention_function(of: Bodies) -> onnx.FunctionProto:
    """Return PackedAttention's body; absent tokens are zero rows of the grid."""
    body = Body()
    rows = body.op("Cast", "spikes", to=of.attention_type)
    padded = body.op("Pad", rows, body.ints([0, 0, 1, 0]))
    joined = _mixed(body, body.op("Gather", padded, "place", axis=0), of)
    flat = body.op("Reshape", joined, body.ints([-1, of.dim]))
    body.op("Gather", flat, "index", axis=0, out="mixed")
    inputs = ["spikes", "index", "place"]
    return body.function("PackedAttention", inputs, ["mixed"], ["slots"])


def _mixed(body: Body, rows: str, of: Bodies) -> str:
    """[B * K, 3D] -> (q k^T) v [B, K, H, D/H]."""
    q, k, v = _heads(body, rows, [3, of.heads, of.dim // of.heads])
    k_t = body.op("Transpose", k, perm=[0, 1, 3, 2])
    if of.keys_first:
        mixed = body.op("MatMul", q, body.op("MatMul", k_t, v))
    else:
        mixed = body.op("MatMul", body.op("MatMul", q, k_t), v)
    return body.op("Transpose", mixed, perm=[0, 2, 1, 3])


def _heads(body: Body, rows: str, tail: list[int]) -> list[str]:
    """[B * K, 3D] -> q, k and v [B, H, K, D/H], in one transposition of all three."""
    slots = body.op("Unsqueeze", body.attribute("slots", onnx.AttributeProto.INT), body.ints([0]))
    split = body.op("Concat", body.ints([-1]), slots, body.ints(tail), axis=0)
    moved = body.op("Transpose", body.op("Reshape", rows, split), perm=[2, 0, 3, 1, 4])
    each = body.ops("Split", moved, body.ints([1, 1, 1]), outs=["q_", "k_", "v_"], axis=0)
    return [body.op("Squeeze", part, body.ints([0])) for part in each]
