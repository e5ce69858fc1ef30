"""Emit the I-SPS stem on unsigned bytes: spike counts in, spike counts out, channels last.

Without spike ops a 3x3 convolution is one integer matrix product over nine shifted copies, which
ONNX Runtime's CPU computes faster than a float convolution (ConvInteger is several times slower).
Where a staircase follows, its steps are compared with the integer sums themselves: nothing is float
between the first convolution and the tokens.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export.fold.exact import Quantised, integer_steps, quantise, rate_range
from export.fold.folded import Array
from export.graph.emitter import Emitter
from export.graph.layers import products
from export.graph.rates import counted
from export.graph.stem.stem import with_position
from train.architectures.base import FIFTH, FOURTH
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
    architecture = e.plan.config.architecture
    embedded, counts = _fourth(e, counts)
    if FIFTH not in architecture.kept_currents:
        last = _count_stage(e, counts, FIFTH)
        return _as_rates(e, with_position(e, embedded, last, "embedded_counts"))
    return with_position(e, embedded, _current(e, counts, FIFTH))


def _fourth(e: Emitter, counts: str) -> tuple[str, str]:
    """What the fifth convolution's result is added to, and the spike counts it takes."""
    if FOURTH not in e.plan.config.architecture.kept_currents:
        x = _pooled(e, _count_stage(e, counts, FOURTH), FOURTH)
        return x, x
    stairs = e.plan.stem.residual_stairs
    assert stairs is not None
    current = _pooled(e, _current(e, counts, FOURTH), FOURTH)
    return current, _float_counts(e, current, stairs, "rate4")


def _as_rates(e: Emitter, counts: str) -> str:
    """Spike counts in bytes to firing rates, float32."""
    wide = e.graph.op("Cast", counts, to=FLOAT, name="embedded_float")
    return e.graph.op("Mul", wide, e.graph.const(rate_range(e.plan.config).unit), name="embedded")


def _count_stage(e: Emitter, counts: str, stage: int) -> str:
    """Convolution and staircase: spike counts uint8 [B, H, W, C] to spike counts."""
    stairs = e.plan.stem.stairs
    assert stairs is not None
    weights, sums = _sums(e, counts, stage)
    bias = e.plan.stem.convs[stage].bias
    at = integer_steps(np.array(stairs.at, np.float32), _scale(e, weights), bias)
    positions = e.graph.const(at, np.int32)
    return counted(e.graph, sums, positions, stairs, f"rate{stage + 1}", UINT8)


def _current(e: Emitter, counts: str, stage: int) -> str:
    """Convolution alone: spike counts to a current, float32 [B, H, W, C']."""
    conv, exact = e.plan.stem.convs[stage], rate_range(e.plan.config)
    name = f"conv{stage + 1}"
    if e.spike_ops:
        return _scaled(e, *_sums(e, counts, stage), conv.bias)
    patches, weights = _patches(e, counts, name), quantise(products.as_matrix(conv))
    return products.current(e.graph, patches, exact, weights, conv.bias, name)


def _scaled(e: Emitter, weights: Quantised, sums: str, bias: Array) -> str:
    """The current of integer sums, float32."""
    graph = e.graph
    wide = graph.op("Cast", sums, to=FLOAT, name="sums_float")
    scaled = graph.op("Mul", wide, graph.const(_scale(e, weights), np.float32), name="scaled")
    return graph.op("Add", scaled, graph.const(bias, np.float32), name="current")


def _scale(e: Emitter, weights: Quantised) -> Array:
    """Current per unit of the integer sums, float32 [C']."""
    return products.scale_of(weights, rate_range(e.plan.config))


def _sums(e: Emitter, counts: str, stage: int) -> tuple[Quantised, str]:
    """Integer convolution: uint8 [B, H, W, C] -> int32 [B, H, W, C']."""
    weights, name = quantise(products.as_matrix(e.plan.stem.convs[stage])), f"conv{stage + 1}"
    if e.spike_ops:
        return weights, products.spike_sums(e.graph, counts, weights, name)
    return weights, products.sums(e.graph, _patches(e, counts, name), weights, name)


def _patches(e: Emitter, x: str, name: str) -> str:
    """uint8 [B, H, W, C] -> [B, H, W, 9 C], zero outside the image."""
    (neighbours,) = e.graph.custom("Patches", [x], 1, name=f"{name}_patches")
    return neighbours


def _float_counts(e: Emitter, current: str, stairs: Staircase, name: str) -> str:
    """Spike counts uint8 of a float32 current."""
    positions = e.graph.const([[at] for at in stairs.at], np.float32)
    return counted(e.graph, current, positions, stairs, name, UINT8)


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
