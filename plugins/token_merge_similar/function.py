"""TokenMergeSimilar as an ONNX function; matching and merging as in TokenMerge's."""

from __future__ import annotations

import onnx

from plugins.common.body import Body
from plugins.token_merge.matching import (
    best_targets,
    every_second,
    goals,
    masked_similarity,
    positions,
)

FLOAT, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32


def token_merge_similar_function() -> onnx.FunctionProto:
    """Return TokenMergeSimilar's body."""
    body = Body()
    tokens = body.op("Cast", "x", to=FLOAT)
    alive = body.op("Greater", "live", body.const(0, "int32"))
    best, target = best_targets(body, masked_similarity(body, tokens, alive))
    even_alive = every_second(body, alive, 0)
    every = positions(body, "live", axis=1)
    half = body.op("Div", every, body.const(2, "int32"))
    _source_out(body, _similar(body, best, even_alive), every, half)
    goal = body.op("Gather", goals(body, best, target, even_alive), half, axis=1)
    _merge(body, tokens, goal, every)
    outputs = ["x_next", "size_next", "live_next", "source_out"]
    inputs = ["x", "size", "live", "source"]
    return body.function("TokenMergeSimilar", inputs, outputs, ["threshold"])


def _similar(body: Body, best: str, even_alive: str) -> str:
    """Which even tokens are sources, bool [B, A]."""
    threshold = body.attribute("threshold", onnx.AttributeProto.FLOAT)
    return body.op("And", body.op("GreaterOrEqual", best, threshold), even_alive)


def _source_out(body: Body, similar: str, every: str, half: str) -> None:
    """Write source_out: the given mask, or the similar ones at even positions [B, K]."""
    even = body.op("Equal", body.op("Mul", half, body.const(2, "int32")), every)
    chosen = body.op("And", body.op("Gather", similar, half, axis=1), even)
    choose = body.op("Less", "source", body.const(0, "int32"))
    body.op("Where", choose, body.op("Cast", chosen, to=INT32), "source", out="source_out")


def _merge(body: Body, tokens: str, goal: str, every: str) -> None:
    """Write the other outputs; goal int32 [B, K], of which that of even positions counts."""
    gone = body.op("Greater", "source_out", body.const(0, "int32"))
    destination = body.op("Where", gone, goal, every)
    row = body.op("Unsqueeze", every, body.ints([1]))
    column = body.op("Unsqueeze", destination, body.ints([1]))
    one_hot = body.op("Cast", body.op("Equal", row, column), to=FLOAT)
    body.op("CastLike", body.op("MatMul", one_hot, tokens), "x", out="x_next")
    sizes = body.op("MatMul", one_hot, body.op("Unsqueeze", "size", body.ints([2])))
    body.op("Where", gone, "size", body.op("Squeeze", sizes, body.ints([2])), out="size_next")
    body.op("Where", gone, body.const(0, "int32"), "live", out="live_next")
