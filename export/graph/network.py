"""Emit the stem and all blocks for the timesteps of a chunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from onnx import TensorProto

from export.graph import forecasts, tokens
from export.graph.blocks import Current, emit_block
from export.graph.emitter import Emitter
from export.graph.stem import isps_bytes as int8_stem
from export.graph.stem import stages, stem
from export.graph.steps import PerStep
from export.graph.tokens import Tokens

FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32


@dataclass(frozen=True)
class Through:
    """What has gone through all blocks.

    Attributes:
        tokens: after the last block.
        readouts: per block sum_k p_k x_k, or with forecasts what it adds to the readout, float32
            [C * B, D]; empty in mode `none`.
        live_tokens: int32 [C * B, L], how many ran.
    """

    tokens: Tokens
    readouts: list[str]
    live_tokens: str


def emit_network(e: Emitter, source: str | None) -> Through:
    """The stem and all blocks, from the graph's input, if it has one."""
    current = _entering(e, source)
    readouts: list[str] = []
    counts: list[str] = []
    config = e.plan.config
    for number in range(1, config.depth + 1):
        with e.graph.scope(f"block{number}"):
            if number > 1 or not _is_static(e):
                current = tokens.merge(e, current, number)
            counts.append(_count(e, current))
            for observer in e.observers:
                observer.block_entered(number, current.rows.slots, current.live)
        hoist = _hoist(e, current, number)
        constant = current.constant
        x = emit_block(e, number, current.x, current.rows, hoist, constant=constant)
        current = replace(current, x=x, constant=False)
        if config.halting.mode != "none":
            with e.graph.scope(f"block{number}"):
                halt = forecasts.halt if e.plan.forecasts else tokens.halt
                current, readout = halt(e, current, number)
                readouts.append(readout)
        else:
            e.layout.leave(current.rows)
    live_tokens = e.graph.op("Concat", *counts, axis=1, name="live_counts")
    for observer in e.observers:
        observer.blocks_done(live_tokens)
    return Through(current, readouts, live_tokens)


def counts_in_bytes(e: Emitter) -> bool:
    """Whether the stem computes in bytes (export/graph/stem/isps_bytes.py)."""
    return _is_static(e) and e.int8 and not e.qdq and int8_stem.fits(e)


def _is_static(e: Emitter) -> bool:
    """With I-SPS the tokens that enter block 1 are the same at every timestep."""
    return e.plan.config.stem.kind == "isps"


def _entering(e: Emitter, source: str | None) -> Tokens:
    """Tokens that enter block 1; with I-SPS after its merge, computed once."""
    config = e.plan.config
    if _is_static(e):
        similar = config.merging[0] and not config.gammas[0]
        return _static_similar(e, source) if similar else _static_tokens(e, source)
    with e.graph.scope("stem"):
        constant = config.input == "image"
        if constant:
            tail = stem.first_shape(e)
            first = lambda: _first_current(e, stem.normalised(e, str(source)))  # noqa: E731
            current = e.states.once("stem.current", e.graph.float_type, tail, first)
        else:
            current = _first_current(e, stem.chunk_frames(e, str(source)))
        emit = stages.tokens_of_chunk if config.stages else stem.tokens_of_chunk
        grid = emit(e, current, constant=constant)
    rows = e.layout.entering(config.tokens)
    return Tokens(rows.from_grid(grid, config.dim), rows)


def _first_current(e: Emitter, x: str) -> str:
    return stem.in_order(e, stem.first_current(e, x))


def _static_tokens(e: Emitter, source: str | None) -> Tokens:
    config, dim = e.plan.config, e.plan.config.dim
    rows = e.layout.entering(config.tokens_per_block[0])

    @cache
    def computed() -> Tokens:
        with e.graph.scope("stem"):
            return tokens.merge(e, _once(e, source), 1)

    grid = e.states.once(
        "tokens", e.graph.float_type, [rows.slots, dim], lambda: rows.to_grid(computed().x, dim)
    )
    size = None
    if config.gammas[0] > 0:
        once = e.states.once("size", FLOAT, [rows.slots], lambda: _size_of(computed()))
        size = PerStep(e.steps, parts=[once] * e.steps.count)
    return Tokens(rows.from_grid(grid, dim), rows, size, constant=True)


def _static_similar(e: Emitter, source: str | None) -> Tokens:
    """The same where slots that merged stay: alive are the same ones at every timestep.

    From here on every timestep has rows of its own, which a layout may choose.
    """
    config, steps = e.plan.config, e.steps

    @cache
    def computed() -> tokens.Grid:
        with e.graph.scope("stem"):
            return tokens.merged_grid(e, _once(e, source), 1)

    def once(name: str, kind: int, tail: list[int], value: Callable[[], str]) -> PerStep:
        return PerStep(steps, parts=[e.states.once(name, kind, tail, value)] * steps.count)

    slots = config.tokens
    grid = once("tokens", e.graph.float_type, [slots, config.dim], lambda: computed().x.stacked)
    size = once("size", FLOAT, [slots], lambda: computed().size.stacked)
    live = once("live", INT32, [slots], lambda: _known(computed().live).stacked)
    x, rows = e.layout.place(grid.stacked, 1, slots, config.dim, live.stacked)
    return Tokens(x, rows, size, live=live)


def _known(live: PerStep | None) -> PerStep:
    assert live is not None
    return live


def _once(e: Emitter, source: str | None) -> Tokens:
    """The tokens that leave the stem, the same at every timestep."""
    emit = int8_stem.tokens_once if counts_in_bytes(e) else stem.tokens_once
    grid = emit(e, stem.first_current(e, stem.normalised(e, str(source))))
    before = e.layout.entering(e.plan.config.tokens)
    return Tokens(before.from_grid(grid, e.plan.config.dim), before, constant=True)


def _size_of(merged: Tokens) -> str:
    """Float32 [B, K] of tokens that are the same at every timestep."""
    assert merged.size is not None
    return merged.size.stacked


def _hoist(e: Emitter, current: Tokens, number: int) -> Current:
    """Block 1's q/k/v current under I-SPS is carried over timesteps; all others are emitted."""
    if not current.constant:
        return lambda emit: emit()
    rows, width = e.layout.entering(current.rows.slots), 3 * e.plan.config.dim

    def once(emit: Callable[[], str]) -> str:
        emitted: list[str] = []

        def first() -> str:
            emitted.append(emit())
            return rows.to_grid(emitted[0], width)

        tail = [rows.slots, width]
        grid = e.states.once("block1.current", e.graph.float_type, tail, first)
        if not emitted:
            e.reused(current.x, rows, width)
        return rows.from_grid(grid, width)

    return once


def _count(e: Emitter, current: Tokens) -> str:
    """Live tokens of a block, int32 [C * B, 1]."""
    if current.live is None:
        return e.chunk.at_every_step(e.chunk.filled(1, current.rows.slots, INT32))
    live = current.live.stacked
    return e.graph.op("ReduceSum", live, e.graph.ints(1), keepdims=1, name="live_count")
