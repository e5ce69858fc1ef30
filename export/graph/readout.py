"""Emit the readout: what went through the blocks to logits and the halting score."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export.graph.emitter import Emitter
from export.graph.network import Through
from export.graph.tokens import Tokens

FLOAT = TensorProto.FLOAT


def emit_readout(e: Emitter, through: Through) -> tuple[str, str]:
    """Running logits [B, N_c] and the last mean_k C(L, t) [B], both float32."""
    y, score = _features(e, through)
    dim = e.plan.config.dim
    if e.plan.head_lif is not None:
        spikes = e.lif_per_image("head_lif", y, e.plan.head_lif, [dim], elem_type=FLOAT)
        both = e.plan.config.head_readout
        y = e.graph.op("Concat", y, spikes, axis=1, name="head_input") if both else spikes
        dim = e.plan.config.head_width
    zero_sum = lambda: e.graph.const(np.zeros((1, dim)), np.float32)  # noqa: E731
    total = e.states.read("readout", FLOAT, [dim], zero_sum)
    for each in e.steps.split(y):  # one after the other, so that a sum rounds as in other chunks
        total = e.graph.op("Add", total, each, name="readout_sum")
    e.states.write("readout", total, FLOAT, [dim])
    with e.graph.scope("head"):
        return _logits(e, total), score


def _features(e: Emitter, through: Through) -> tuple[str, str]:
    """y_t float32 [C * B, D], and the halting score [B]."""
    if e.plan.config.halting.mode == "none":
        return _mean_over_tokens(e, through.tokens), _no_score(e)
    if e.plan.forecasts:
        y = e.graph.op("Sum", *through.readouts, name="readout")
    else:
        y = _mean_over_blocks(e, through.readouts)
    assert through.tokens.cum is not None
    last = through.tokens.cum.parts[-1]
    score = e.graph.op("ReduceMean", last, e.graph.ints(1), keepdims=0, name="halt_score")
    return y, score


def _mean_over_blocks(e: Emitter, readouts: list[str]) -> str:
    """Sum over blocks of 1/K_l times the block's weighted sum; one factor where all K_l agree."""
    graph, slots = e.graph, e.plan.config.tokens_per_block
    if len(set(slots)) > 1:
        each = [_scaled(e, part, 1 / K) for part, K in zip(readouts, slots, strict=True)]
        return graph.op("Sum", *each, name="readout")
    total = readouts[0] if len(readouts) == 1 else graph.op("Sum", *readouts, name="readout_blocks")
    return _scaled(e, total, 1 / slots[0])


def _scaled(e: Emitter, readout: str, share: float) -> str:
    return e.graph.op("Mul", readout, e.graph.const(share, np.float32), name="readout_mean")


def _mean_over_tokens(e: Emitter, current: Tokens) -> str:
    """Mode none: float32 mean over tokens after block L."""
    rows = current.rows
    return e.mean_over_tokens(rows.to_grid(rows.masked(current.x), e.plan.config.dim))


def _no_score(e: Emitter) -> str:
    """Mode none has no halting score: zeros [B]."""
    zero = e.graph.const([0.0], np.float32)
    return e.graph.op("Expand", zero, e.chunk.batch, name="no_halt_score")


def _logits(e: Emitter, total: str) -> str:
    """FC(1/t sum y), float32."""
    graph, head = e.graph, e.plan.head
    steps = graph.const(float(e.steps.count), np.float32)
    before = e.states.read_scalar("time", lambda: "")
    time = graph.op("Add", before, steps, name="time") if before else steps
    e.states.write_scalar("time", time)
    mean = graph.op("Div", total, time, name="readout_mean")
    weight, bias = graph.const(head.weight, np.float32), graph.const(head.bias, np.float32)
    return graph.op("Gemm", mean, weight, bias, name="head")
