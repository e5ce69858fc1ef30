"""Emit the I-SPS stem on unsigned bytes: spike counts in, spike counts out, channels last.

A 3x3 convolution is one integer matrix product over nine shifted copies, which ONNX Runtime's CPU
computes faster than a float convolution (ConvInteger is several times slower). Where a staircase
follows, its steps are compared with the integer sums themselves: nothing is float between the first
convolution and the tokens.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export import int8_product
from export.emitter import Emitter
from export.fold import FoldedConv
from export.int8 import Quantised, integer_steps, quantise, rate_range
from train.staircase import Staircase

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8


def fits(e: Emitter) -> bool:
    """Whether counts and their sum, the tokens, are exact in bytes."""
    rate = rate_range(e.plan.config)
    return rate.fits and 2 * rate.highest <= 255


def tokens_once(e: Emitter, current: str) -> str:
    """The first convolution's current [B, C, H, W] to tokens [B, K, D], float32."""
    plan = e.plan.stem
    assert plan.stairs is not None
    if e.plan.config.stem.pool[0]:  # the staircase is monotone: fewer values to count afterwards
        current = e.pool(current, "pool1")
    counts = _channels_last(e, _float_counts(e, current, plan.stairs, "rate1"))
    for stage in (1, 2):
        counts = _pooled(e, _count_stage(e, counts, stage), stage)
    return _to_tokens(e, _tail(e, counts))


def _tail(e: Emitter, counts: str) -> str:
    """Fourth and fifth convolution; float32 [B, H, W, D]."""
    plan, graph, arch = e.plan.stem, e.graph, e.plan.config.arch
    assert plan.stairs is not None and plan.residual_stairs is not None
    if arch == "sdt":
        current = _pooled(e, _current(e, counts, 3), 3)
        rate = _float_counts(e, current, plan.residual_stairs, "rate4")
        return graph.op("Add", current, _current(e, rate, 4), name="embedded")
    x = _pooled(e, _count_stage(e, counts, 3), 3)
    if arch == "spikingformer":
        return _current(e, x, 4)
    total = graph.op("Add", x, _count_stage(e, x, 4), name="embedded_counts")
    wide = graph.op("Cast", total, to=FLOAT, name="embedded_float")
    return graph.op("Mul", wide, graph.const(rate_range(e.plan.config).unit), name="embedded")


def _count_stage(e: Emitter, counts: str, stage: int) -> str:
    """Convolution and staircase: spike counts uint8 [B, H, W, C] to spike counts."""
    stairs = e.plan.stem.stairs
    assert stairs is not None
    weights, sums = _sums(e, counts, stage)
    bias = e.plan.stem.convs[stage].bias
    at = integer_steps(np.array(stairs.at, np.float32), _scale(e, weights), bias)
    name = f"rate{stage + 1}"
    reached = [
        e.graph.op("GreaterOrEqual", sums, e.graph.const(row, np.int32), name=f"{name}_step")
        for row in at
    ]
    return _added(e, reached, stairs, name)


def _current(e: Emitter, counts: str, stage: int) -> str:
    """Convolution alone: spike counts to a current, float32 [B, H, W, C']."""
    conv, exact = e.plan.stem.convs[stage], rate_range(e.plan.config)
    patches, name = _patches(e, counts, f"conv{stage + 1}"), f"conv{stage + 1}"
    weights = quantise(_as_matrix(conv))
    return int8_product.current(e.graph, patches, exact, weights, conv.bias, name)


def _scale(e: Emitter, weights: Quantised) -> np.ndarray:
    """Current per unit of the integer sums, float32 [C']."""
    return weights.scale * np.float32(rate_range(e.plan.config).unit)


def _sums(e: Emitter, counts: str, stage: int) -> tuple[Quantised, str]:
    """Integer convolution: uint8 [B, H, W, C] -> int32 [B, H, W, C']."""
    weights = quantise(_as_matrix(e.plan.stem.convs[stage]))
    patches = _patches(e, counts, f"conv{stage + 1}")
    return weights, int8_product.sums(e.graph, patches, weights, f"conv{stage + 1}")


def _as_matrix(conv: FoldedConv) -> np.ndarray:
    """[out, in, 3, 3] -> [9 * in, out], rows in the order of `_patches`."""
    return np.ascontiguousarray(conv.weight.transpose(2, 3, 1, 0).reshape(-1, conv.weight.shape[0]))


def _patches(e: Emitter, x: str, name: str) -> str:
    """uint8 [B, H, W, C] -> [B, H, W, 9 C], zero outside the image."""
    graph = e.graph
    padded = graph.op("Pad", x, graph.ints(0, 1, 1, 0, 0, 1, 1, 0), name=f"{name}_padded")
    shifts = [
        graph.op(
            "Slice", padded, graph.ints(row, column),
            graph.ints(row - 2 or _END, column - 2 or _END), graph.ints(1, 2), name=f"{name}_shift",
        )
        for row in range(3)
        for column in range(3)
    ]  # fmt: skip
    return graph.op("Concat", *shifts, axis=3, name=f"{name}_patches")


_END = np.iinfo(np.int64).max  # a slice's end that means the end of the axis


def _float_counts(e: Emitter, current: str, stairs: Staircase, name: str) -> str:
    """Spike counts uint8 of a float32 current."""
    graph = e.graph
    reached = [
        graph.op("GreaterOrEqual", current, graph.const(at), name=f"{name}_step")
        for at in stairs.at
    ]
    return _added(e, reached, stairs, name)


def _added(e: Emitter, reached: list[str], stairs: Staircase, name: str) -> str:
    """Sum of the steps' weights, uint8, where each step is reached."""
    graph = e.graph
    terms = [graph.op("Cast", each, to=UINT8, name=f"{name}_reached") for each in reached]
    pairs = zip(terms, stairs.weight, strict=True)
    total, *rest = [term for term, weight in pairs for _ in range(weight)]
    for term in rest:
        total = graph.op("Add", total, term, name=f"{name}_count")
    return total


def _pooled(e: Emitter, x: str, stage: int) -> str:
    """Max-pool [B, H, W, C], bytes or float, where the stage has one."""
    if not e.plan.config.stem.pool[stage]:
        return x
    planes = e.graph.op("Transpose", x, perm=[0, 3, 1, 2], name=f"pool{stage + 1}_planes")
    return _channels_last(e, e.pool(planes, f"pool{stage + 1}"))


def _channels_last(e: Emitter, x: str) -> str:
    return e.graph.op("Transpose", x, perm=[0, 2, 3, 1], name="channels_last")


def _to_tokens(e: Emitter, x: str) -> str:
    """[B, H, W, D] -> [B, K, D]."""
    config, graph = e.plan.config, e.graph
    return graph.op("Reshape", x, graph.ints(-1, config.tokens, config.dim), name="tokens")
