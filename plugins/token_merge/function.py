"""TokenMerge as an ONNX function.

Gather and merge are one product with a one-hot matrix, because scatter with reduction is not in
TensorRT's core. Ties must go to the lower position on every runtime, and TensorRT does not say how
its TopK and ArgMax break them; so equal keys are ranked by counting, and TopK only sorts keys that
differ.
"""

from __future__ import annotations

import numpy as np
import onnx

from plugins.common.body import Body

FLOAT, INT32, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32, onnx.TensorProto.INT64
NO_TARGET = -2.0
"""Similarity of a pair whose target is dead: below every cosine."""
DEAD_SOURCE = 2.0
"""Priority of a dead source: above every cosine."""
END = int(np.iinfo(np.int32).max)


def token_merge_function() -> onnx.FunctionProto:
    """Return TokenMerge's body."""
    body = Body()
    tokens = body.op("Cast", "x", to=FLOAT)
    alive = body.op("Greater", "live", body.const(0, "int32"))
    best, target = _best_targets(body, _masked_similarity(body, tokens, alive))
    even_alive = _every_second(body, alive, 0)
    goal = _goals(body, best, target, even_alive)
    _source_out(body, _priority_rank(body, best, even_alive))
    _merge(body, tokens, goal)
    outputs = ["x_next", "size_next", "live_next", "keep", "source_out"]
    return body.function("TokenMerge", ["x", "size", "live", "source"], outputs, ["gamma"])


def _masked_similarity(body: Body, tokens: str, alive: str) -> str:
    """Cosine of each even with each odd token, NO_TARGET where the odd one is dead [B, A, O]."""
    even, odd = _every_second(body, tokens, 0), _every_second(body, tokens, 1)
    squares = body.op("ReduceSumSquare", tokens, body.ints([2]), keepdims=1)
    norms = body.op(
        "Mul", _every_second(body, squares, 0), _transpose(body, _every_second(body, squares, 1))
    )
    dot = body.op("MatMul", even, _transpose(body, odd))
    cosine = body.op("Div", dot, body.op("Sqrt", norms))
    zero = body.const(0.0, "float32")
    similarity = body.op("Where", body.op("Greater", norms, zero), cosine, zero)
    odd_alive = body.op("Unsqueeze", _every_second(body, alive, 1), body.ints([1]))
    return body.op("Where", odd_alive, similarity, body.const(NO_TARGET, "float32"))


def _best_targets(body: Body, similarity: str) -> tuple[str, str]:
    """Best similarity of each even token, float32 [B, A], and the target's position, int32."""
    best = body.op("ReduceMax", similarity, body.ints([2]), keepdims=1)
    odd = _positions(body, similarity, axis=2, step=2, start=1)
    candidates = body.op("Where", body.op("Equal", similarity, best), odd, body.const(END, "int32"))
    target = body.op("ReduceMin", candidates, body.ints([2]), keepdims=0)
    return body.op("Squeeze", best, body.ints([2])), target


def _goals(body: Body, best: str, target: str, even_alive: str) -> str:
    """Where each even token would merge: its target, or -1 when it just disappears [B, A]."""
    has_target = body.op("Greater", best, body.const(NO_TARGET, "float32"))
    merges = body.op("And", has_target, even_alive)
    return body.op("Where", merges, target, body.const(-1, "int32"))


def _priority_rank(body: Body, best: str, even_alive: str) -> str:
    """How many even tokens go before each one, ties by position; float32 [B, A]."""
    priority = body.op("Where", even_alive, best, body.const(DEAD_SOURCE, "float32"))
    mine = body.op("Unsqueeze", priority, body.ints([2]))
    other = body.op("Unsqueeze", priority, body.ints([1]))
    position = _positions(body, priority, axis=1)
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
    slot = _first_true(body, chosen, _positions(body, rank, axis=1), count)
    position = body.op("Mul", body.op("Cast", slot, to=INT32), body.const(2, "int32"))
    choose = body.op("Less", "source", body.const(0, "int32"))
    body.op("Where", choose, position, "source", out="source_out")


def _merge(body: Body, tokens: str, goal: str) -> None:
    """Write the other outputs; goal int32 [B, A] as in `_goals`."""
    every = _positions(body, "live", axis=1)
    gone = _gone(body, every)
    kept_count = body.op(
        "Sub", _length(body, "live", 1), body.op("Shape", "source_out", start=1, end=2)
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


def _positions(body: Body, value: str, axis: int, step: int = 1, start: int = 0) -> str:
    """start, start + step, ..., one for each element of `axis`, int32 [n].

    Range runs in int64 and its result is cast: where its limit is cast instead, shape inference
    still reports int64.
    """
    count = body.op("Squeeze", _length(body, value, axis))
    zero, one = body.const(0, "int64"), body.const(1, "int64")
    positions = body.op("Cast", body.op("Range", zero, count, one), to=INT32)
    if step != 1:
        positions = body.op("Mul", positions, body.const(step, "int32"))
    return body.op("Add", positions, body.const(start, "int32")) if start else positions


def _length(body: Body, value: str, axis: int) -> str:
    return body.op("Shape", value, start=axis, end=axis + 1)


def _every_second(body: Body, value: str, start: int) -> str:
    """`value[:, start::2]`."""
    ints = body.ints
    return body.op("Slice", value, ints([start]), ints([END]), ints([1]), ints([2]))


def _transpose(body: Body, value: str) -> str:
    return body.op("Transpose", value, perm=[0, 2, 1])
