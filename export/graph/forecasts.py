"""Emit halting by forecasts (train/models/forecasts.py): certainties, decisions, readouts."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export.fold.folded import FoldedLinear
from export.graph import tokens
from export.graph.emitter import Emitter
from export.graph.tokens import Tokens

FLOAT = TensorProto.FLOAT


def halt(e: Emitter, current: Tokens, number: int) -> tuple[Tokens, str]:
    """Decide who halts after block `number`.

    Returns:
        The tokens that go on, and what those that halt add to the readout, float32 [C * B, D].
    """
    dim = e.plan.config.dim
    grid = current.rows.to_grid(current.rows.masked(current.x), dim)
    if number == e.plan.config.depth:
        assert current.cum is not None and current.live is not None
        stays = tokens.Decided([], current.cum.parts, current.live.parts)
        return tokens.follow(e, current, number, stays), e.mean_over_tokens(grid)
    forecast = e.plan.forecasts[number - 1]
    decided = tokens.decide(e, current, number, _certainty(e, current, forecast.certainty), 1)
    after = tokens.follow(e, current, number, decided)
    return after, _readout(e, _halted(e, current, after), grid, forecast.value)


def _certainty(e: Emitter, current: Tokens, layer: FoldedLinear) -> str:
    """Float32 [M, 1]: the halting ops read it as the first element of a token."""
    graph, x = e.graph, e.as_float32(current.x, "token")
    weight, bias = (graph.const(part, np.float32) for part in (layer.weight, layer.bias))
    return graph.op("Gemm", x, weight, bias, name="certainty")


def _halted(e: Emitter, before: Tokens, after: Tokens) -> str:
    """1 for tokens that halt here, float32 [C * B, 1, K]."""
    graph, slots = e.graph, before.rows.slots
    assert after.live is not None
    alive = before.live.stacked if before.live else _everyone(e, slots)
    gone = graph.op("Sub", alive, after.live.stacked, name="halts")
    wide = graph.op("Cast", gone, to=FLOAT, name="halts_float")
    return graph.op("Unsqueeze", wide, graph.ints(1), name="halts_row")


def _everyone(e: Emitter, slots: int) -> str:
    return e.chunk.at_every_step(e.chunk.filled(slots, 1, TensorProto.INT32))


def _readout(e: Emitter, halted: str, grid: str, value: FoldedLinear) -> str:
    """1/K times the sum of the halted tokens' forecasts, as one product per image."""
    graph, one = e.graph, e.graph.ints(1)
    product = graph.op("MatMul", halted, e.as_float32(grid, "grid"), name="halted_sum")
    total = graph.op("Squeeze", product, one, name="halted_tokens")
    count = graph.op("ReduceSum", halted, graph.ints(2), keepdims=0, name="halted_count")
    both = graph.op("Concat", total, count, axis=1, name="halted")
    share = np.float32(1 / e.plan.config.tokens)
    weight = np.concatenate([value.weight, value.bias[None]]) * share
    return graph.op("MatMul", both, graph.const(weight, np.float32), name="forecast")
