"""TokenMerge as an ONNX function.

Gather and merge are one product with a one-hot matrix, because scatter with reduction is not in
TensorRT's core. Ties must go to the lower position on every runtime, and TensorRT does not say how
its TopK and ArgMax break them; so equal keys are ranked by counting, and TopK only sorts keys that
differ.
"""

from __future__ import annotations

import onnx

from plugins.common.body import Body
from plugins.token_merge.matching import (
    best_targets,
    every_second,
    goals,
    length,
    masked_similarity,
    positions,
)

FLOAT, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
DEAD_SOURCE = 2.0
"""Priority of a dead source: above every cosine."""


def token_merge_function() -> onnx.FunctionProto:
    """Return TokenMerge's body."""
    body = Body()
    tokens = body.op("Cast", "x", to=FLOAT)
    alive = body.op("Greater", "live", body.const(0, "int32"))
    best, target = best_targets(body, masked_similarity(body, tokens, alive))
    even_alive = every_second(body, alive, 0)
    goal = goals(body, best, target, even_alive)
    _source_out(body, _priority_rank(body, best, even_alive))
    _merge(body, tokens, goal)
    outputs = ["x_next", "size_next", "live_next", "keep", "source_out"]
    return body.function("TokenMerge", ["x", "size", "live", "source"], outputs, ["gamma"])


def _priority_rank(body: Body, best: str, even_alive: str) -> str:
    """How many even tokens go before each one, ties by position; float32 [B, A]."""
    priority = body.op("Where", even_alive, best, body.const(DEAD_SOURCE, "float32"))
    mine = body.op("Unsqueeze", priority, body.ints([2]))
    other = body.op("Unsqueeze", priority, body.ints([1]))
    position = positions(body, priority, axis=1)
    column = body.op("Unsqueeze", position, body.ints([1]))
    tie = body.op("And", body.op("Equal", other, mine), body.op("Less", position, column))
    before = body.op("Or", body.op("Greater", other, mine), tie)
    count = body.op("Cast", before, to=FLOAT)
    return body.op("ReduceSum", count, body.ints([2]), keepdims=0)


def _source_out(body: Body, rank: str) -> None:
    """Write source_out: the given positions, or the gamma first by rank, ascending."""
    gamma = body.attribute("gamma", onnx.AttributeProto.INT)
    chosen = body.op("Less", rank, body.op("Cast", gamma, to=FLOAT))
    count = body.op("Reshape", gamma, body.ints([1]))
    slot = _first_true(body, chosen, positions(body, rank, axis=1), count)
    position = body.op("Mul", body.op("Cast", slot, to=INT32), body.const(2, "int32"))
    choose = body.op("Less", "source", body.const(0, "int32"))
    body.op("Where", choose, position, "source", out="source_out")


def _merge(body: Body, tokens: str, goal: str) -> None:
    """Write the other outputs; goal int32 [B, A] as in `_goals`."""
    every = positions(body, "live", axis=1)
    gone = _gone(body, every)
    kept_count = body.op(
        "Sub", length(body, "live", 1), body.op("Shape", "source_out", start=1, end=2)
    )
    kept = _first_true(body, body.op("Not", gone), every, kept_count)
    body.op("Cast", kept, to=INT32, out="keep")
    half = body.op("Div", every, body.const(2, "int32"))
    destination = body.op("Where", gone, body.op("Gather", goal, half, axis=1), every)
    row = body.op("Unsqueeze", "keep", body.ints([2]))
    column = body.op("Unsqueeze", destination, body.ints([1]))
    one_hot = body.op("Cast", body.op("Equal", row, column), to=FLOAT)
    body.op("CastLike", body.op("MatMul", one_hot, tokens), "x", out="x_next")
    sizes = body.op("MatMul", one_hot, body.op("Unsqueeze", "size", body.ints([2])))
    body.op("Squeeze", sizes, body.ints([2]), out="size_next")
    body.op("GatherElements", "live", kept, axis=1, out="live_next")


def _gone(body: Body, every: str) -> str:
    """Which positions are sources, bool [B, K]."""
    source = body.op("Unsqueeze", "source_out", body.ints([2]))
    hits = body.op("Cast", body.op("Equal", source, every), to=FLOAT)
    hit = body.op("ReduceMax", hits, body.ints([1]), keepdims=0)
    return body.op("Greater", hit, body.const(0.0, "float32"))


def _first_true(body: Body, mask: str, positions: str, count: str) -> str:
    """The `count` positions where `mask` is true, ascending, int64; keys differ, so no ties.

    The keys are float32, as TensorRT's TopK wants them; positions are far below 2^24.
    """
    key = body.op("Cast", positions, to=FLOAT)
    later = body.op("Add", key, body.const(float(2**20), "float32"))
    ranked = body.op("Where", mask, key, later)
    index = f"{ranked}_index"
    body.ops("TopK", ranked, count, outs=(f"{ranked}_value", index), axis=1, largest=0, sorted=1)
    return index
