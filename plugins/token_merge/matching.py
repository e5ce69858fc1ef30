"""What the bodies of ops that merge share: every even token's most similar odd one.

Ties must go to the lower position on every runtime, and TensorRT does not say how its ArgMax breaks
them; so the lowest of the most similar is found by a minimum.
"""

from __future__ import annotations

import numpy as np
import onnx

from plugins.common.body import Body

FLOAT, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
NO_TARGET = -2.0
"""Similarity of a pair whose target is dead: below every cosine."""
END = int(np.iinfo(np.int32).max)


def masked_similarity(body: Body, tokens: str, alive: str) -> str:
    """Cosine of each even with each odd token, NO_TARGET where the odd one is dead [B, A, O]."""
    even, odd = every_second(body, tokens, 0), every_second(body, tokens, 1)
    squares = body.op("ReduceSumSquare", tokens, body.ints([2]), keepdims=1)
    norms = body.op(
        "Mul", every_second(body, squares, 0), transpose(body, every_second(body, squares, 1))
    )
    dot = body.op("MatMul", even, transpose(body, odd))
    cosine = body.op("Div", dot, body.op("Sqrt", norms))
    zero = body.const(0.0, "float32")
    similarity = body.op("Where", body.op("Greater", norms, zero), cosine, zero)
    odd_alive = body.op("Unsqueeze", every_second(body, alive, 1), body.ints([1]))
    return body.op("Where", odd_alive, similarity, body.const(NO_TARGET, "float32"))


def best_targets(body: Body, similarity: str) -> tuple[str, str]:
    """Best similarity of each even token, float32 [B, A], and the target's position, int32."""
    best = body.op("ReduceMax", similarity, body.ints([2]), keepdims=1)
    odd = positions(body, similarity, axis=2, step=2, start=1)
    candidates = body.op("Where", body.op("Equal", similarity, best), odd, body.const(END, "int32"))
    target = body.op("ReduceMin", candidates, body.ints([2]), keepdims=0)
    return body.op("Squeeze", best, body.ints([2])), target


def goals(body: Body, best: str, target: str, even_alive: str) -> str:
    """Where each even token would merge: its target, or -1 when it just disappears [B, A]."""
    has_target = body.op("Greater", best, body.const(NO_TARGET, "float32"))
    merges = body.op("And", has_target, even_alive)
    return body.op("Where", merges, target, body.const(-1, "int32"))


def positions(body: Body, value: str, axis: int, step: int = 1, start: int = 0) -> str:
    """start, start + step, ..., one for each element of `axis`, int32 [n].

    Range runs in int64 and its result is cast: where its limit is cast instead, shape inference
    still reports int64.
    """
    count = body.op("Squeeze", length(body, value, axis))
    zero, one = body.const(0, "int64"), body.const(1, "int64")
    positions = body.op("Cast", body.op("Range", zero, count, one), to=INT32)
    if step != 1:
        positions = body.op("Mul", positions, body.const(step, "int32"))
    return body.op("Add", positions, body.const(start, "int32")) if start else positions


def length(body: Body, value: str, axis: int) -> str:
    """Size of `axis`, int64 [1]."""
    return body.op("Shape", value, start=axis, end=axis + 1)


def every_second(body: Body, value: str, start: int) -> str:
    """`value[:, start::2]`."""
    ints = body.ints
    return body.op("Slice", value, ints([start]), ints([END]), ints([1]), ints([2]))


def transpose(body: Body, value: str) -> str:
    """Swap the last two of three axes."""
    return body.op("Transpose", value, perm=[0, 2, 1])
