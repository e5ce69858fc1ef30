"""Unroll a network's timesteps into `first.onnx` and `next.onnx` (design section 5)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

import plugins
from export.errors import UnsupportedError
from export.fold.float16 import check_float16
from export.fold.network import NetworkPlan
from export.graph import tokens
from export.graph.blocks import emit_block
from export.graph.builder import GraphBuilder, Shape
from export.graph.emitter import Emitter, Layout
from export.graph.layouts.rows import FullRows
from export.graph.observers.operations import CountingEmitter
from export.graph.observers.spikes import SpyingEmitter
from export.graph.states import States
from export.graph.stem import isps_bytes as int8_stem
from export.graph.stem import stem
from export.graph.steps import PerStep, Steps
from export.graph.tokens import Tokens

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
PRODUCER = "spikehalt"


@dataclass(frozen=True)
class GraphOptions:
    """How a network is unrolled.

    Attributes:
        chunk: timesteps per graph, a divisor of T.
        layout: `packed` (no rows for absent tokens), `dense` (static shapes and masks) or `lagged`
            (no rows for tokens absent before the chunk).
        dtype: float32 or float16, of weights and activations.
        live_masks: also give out which slots ran, per block and timestep.
        int8: weights rounded to int8 and products of bytes; `dtype` is of everything else.
        qdq: with int8: written for engines (export/graph/qdq.py) instead of ONNX Runtime on a CPU.
        spikes: also give out every neuron's spikes (observers/spikes.py), for comparisons.
        instrument: also give out the operations that spikes cause (observers/operations.py).
    """

    chunk: int = 1
    layout: Layout = "packed"
    dtype: Any = np.float32
    live_masks: bool = False
    int8: bool = False
    qdq: bool = False
    spikes: bool = False
    instrument: bool = False


@dataclass
class _Record:
    """Live tokens of a chunk: counts int32 [C * B, L], and per block the masks [C * B, K]."""

    counts: str = ""
    masks: dict[int, str] = field(default_factory=dict)


def unroll(plan: NetworkPlan, options: GraphOptions) -> dict[str, onnx.ModelProto]:
    """The graphs of a bundle, by file name.

    Raises:
        UnsupportedError: the options do not fit the model.
    """
    check_options(plan, options)
    if options.chunk == plan.config.timesteps:
        return {"first.onnx": _graph(plan, options, "first", frozenset())[0]}
    following, carried = _graph(plan, options, "next", None)
    first, _ = _graph(plan, options, "first", carried)
    return {"first.onnx": first, "next.onnx": following}


def check_options(plan: NetworkPlan, options: GraphOptions) -> None:
    """Refuse what cannot be built.

    Raises:
        UnsupportedError: fixed-rate dropping, chunk does not divide T, mode `block` in the packed
            layout, values that float16 cannot hold, or int8 instrumented.
    """
    _refuse_dropping(plan)
    if np.dtype(options.dtype) == np.float16:
        check_float16(plan)
    timesteps = plan.config.timesteps
    if options.chunk < 1 or timesteps % options.chunk:
        divisors = [n for n in range(1, timesteps + 1) if timesteps % n == 0]
        raise UnsupportedError(
            f"chunk {options.chunk} does not divide T = {timesteps}; choose one of {divisors}"
        )
    if options.instrument and options.int8:
        raise UnsupportedError(
            "integer graphs are not instrumented: an operation count does not depend on precision, "
            "so export a second bundle with --instrument and without --int8"
        )
    if plan.config.halting.mode == "block" and options.layout != "dense":
        raise UnsupportedError(
            "halting mode 'block' lets a token come back at the next timestep, so its "
            "membranes must be held; that exists in the dense layout only: use --layout dense"
        )


def _refuse_dropping(plan: NetworkPlan) -> None:
    """No graph drops tokens at fixed rates: it would compute another function than PyTorch."""
    kind = plan.config.drop.kind
    if kind != "none":
        raise UnsupportedError(
            f"drop.kind {kind!r} is a baseline for training and evaluation and cannot be exported; "
            "what removes tokens in exported models is halting (halting.mode 'block_time' or "
            "'block') and merging (merge_gamma): train with one of those, or with drop.kind 'none'"
        )


def _graph(
    plan: NetworkPlan, options: GraphOptions, name: str, carried: Set[str] | None
) -> tuple[onnx.ModelProto, set[str]]:
    """One graph and the states it reads; `carried` None stands for its own."""
    graph = GraphBuilder(name, options.dtype)
    resumed = name == "next"
    alive = graph.input("alive", INT64, ["B"]) if resumed else None
    source = _source(graph, plan, options, resumed)
    epsilon = graph.input("epsilon", FLOAT, [])
    batch = graph.op("Shape", alive or str(source), start=0, end=1, name="batch")
    states = States(graph, alive)
    kind = _emitter_kind(options)
    steps = Steps(graph, options.chunk)
    emitter = kind(
        graph, plan, states, options.layout, batch, epsilon, steps, options.int8, options.qdq
    )
    record, logits, score = _chunk(emitter, options, source)
    # Names without a scope are the graph's interface.
    graph.output("logits", logits, FLOAT, ["B", plan.config.classes])
    graph.output("halt_score", score, FLOAT, ["B"])
    _record_outputs(emitter, options, record)
    if isinstance(emitter, CountingEmitter):
        emitter.give_out()
    states.emit_outputs(states.inputs if carried is None else carried)
    return graph.model(plugins.onnx_functions(_bodies(emitter)), PRODUCER), states.inputs


def _bodies(e: Emitter) -> plugins.Bodies:
    """What the nodes of this graph agree on."""
    config = e.plan.config
    return plugins.Bodies(
        reset=e.plan.blocks[0].lif.reset,
        steps=e.steps.count if e.fuses_steps else 1,
        reset_to_zero=True,
        heads=config.heads,
        dim=config.dim,
        keys_first=max(config.tokens_per_block) > config.dim // config.heads,
        attention_type=e.graph.float_type,
        count_weights=_count_weights(e),
        count_type=int(TensorProto.UINT8) if _counts_in_bytes(e) else e.graph.float_type,
    )


def _emitter_kind(options: GraphOptions) -> type[Emitter]:
    if options.instrument:
        return CountingEmitter
    return SpyingEmitter if options.spikes else Emitter


def _source(
    graph: GraphBuilder, plan: NetworkPlan, options: GraphOptions, resumed: bool
) -> str | None:
    """The image or frames input; an image enters `first` only."""
    height, width = plan.config.image_size
    if plan.config.input == "frames":
        shape: Shape = ["B", options.chunk, plan.config.channels, height, width]
        return graph.input("frames", FLOAT, shape)
    if resumed:
        return None
    return graph.input("image", TensorProto.UINT8, ["B", height, width, plan.config.channels])


def _chunk(e: Emitter, options: GraphOptions, source: str | None) -> tuple[_Record, str, str]:
    """All timesteps of a chunk; returns the record, the logits and the halting score."""
    record = _Record()
    y, score = _network(e, options, source, record)
    dim = e.plan.config.dim
    if e.plan.head_lif is not None:
        y = e.lif_per_image("head_lif", y, e.plan.head_lif, [dim], elem_type=FLOAT)
    zero_sum = lambda: e.graph.const(np.zeros((1, dim)), np.float32)  # noqa: E731
    total = e.states.read("readout", FLOAT, [dim], zero_sum)
    for each in e.steps.split(y):  # one after the other, so that a sum rounds as in other chunks
        total = e.graph.op("Add", total, each, name="readout_sum")
    e.states.write("readout", total, FLOAT, [dim])
    with e.graph.scope("head"):
        return record, _logits(e, total, options.chunk), score


def _network(
    e: Emitter, options: GraphOptions, source: str | None, record: _Record
) -> tuple[str, str]:
    """The stem and all blocks; y_t float32 [C * B, D], and the last mean_k C(L, t) [B]."""
    current = _entering(e, source)
    readouts: list[str] = []
    counts: list[str] = []
    config = e.plan.config
    for number in range(1, config.depth + 1):
        with e.graph.scope(f"block{number}"):
            current = current if current.constant else tokens.merge(e, current, number)
            counts.append(_count(e, current))
            if options.live_masks:
                record.masks[number] = _live_mask(e, current)
        hoist = _hoist(e, current, number)
        constant = current.constant
        x = emit_block(e, number, current.x, current.rows, hoist, constant=constant)
        current = replace(current, x=x, constant=False)
        if config.halting.mode != "none":
            with e.graph.scope(f"block{number}"):
                current, readout = tokens.halt(e, current, number)
                readouts.append(readout)
    record.counts = e.graph.op("Concat", *counts, axis=1, name="live_counts")
    e.chunk_done(record.counts)
    if config.halting.mode == "none":
        return _mean_over_tokens(e, current), _no_score(e)
    y = _mean_over_blocks(e, readouts)
    assert current.cum is not None
    last = current.cum.parts[-1]
    score = e.graph.op("ReduceMean", last, e.graph.ints(1), keepdims=0, name="halt_score")
    return y, score


def _is_static(e: Emitter) -> bool:
    """With I-SPS the tokens that enter block 1 are the same at every timestep."""
    return e.plan.config.stem.kind == "isps"


def _entering(e: Emitter, source: str | None) -> Tokens:
    """Tokens that enter block 1; with I-SPS after its merge, computed once."""
    config = e.plan.config
    if _is_static(e):
        return _static_tokens(e, source)
    with e.graph.scope("stem"):
        constant = config.input == "image"
        if constant:
            tail = [config.dim // 8, *config.image_size]
            first = lambda: stem.first_current(e, stem.normalised(e, str(source)))  # noqa: E731
            current = e.states.once("stem.current", e.graph.float_type, tail, first)
        else:
            current = stem.first_current(e, stem.chunk_frames(e, str(source)))
        grid = stem.tokens_of_chunk(e, current, constant=constant)
    rows = e.full_rows(1, config.tokens)
    return Tokens(rows.from_grid(grid, config.dim), rows)


def _static_tokens(e: Emitter, source: str | None) -> Tokens:
    config, dim = e.plan.config, e.plan.config.dim
    rows = e.full_rows(1, config.tokens_per_block[0])

    @cache
    def computed() -> Tokens:
        with e.graph.scope("stem"):
            emit = int8_stem.tokens_once if _counts_in_bytes(e) else stem.tokens_once
            grid = emit(e, stem.first_current(e, stem.normalised(e, str(source))))
            before = FullRows(e.graph, 1, config.tokens)
            entering = Tokens(before.from_grid(grid, dim), before, constant=True)
            return tokens.merge(e, entering, 1)

    grid = e.states.once(
        "tokens", e.graph.float_type, [rows.slots, dim], lambda: rows.to_grid(computed().x, dim)
    )
    size = None
    if config.gammas[0] > 0:
        once = e.states.once("size", FLOAT, [rows.slots], lambda: _size_of(computed()))
        size = PerStep(e.steps, parts=[once] * e.steps.count)
    return Tokens(rows.from_grid(grid, dim), rows, size, constant=True)


def _counts_in_bytes(e: Emitter) -> bool:
    """Whether the stem computes in bytes (export/graph/stem/isps_bytes.py)."""
    return e.int8 and not e.qdq and int8_stem.fits(e)


def _count_weights(e: Emitter) -> tuple[int, ...]:
    """Of the stem's staircases, which are of one shape (`export.fold.network.of_one_shape`)."""
    stairs = e.plan.stem.stairs
    return (1,) if stairs is None else stairs.weight


def _size_of(merged: Tokens) -> str:
    """Float32 [B, K] of tokens that are the same at every timestep."""
    assert merged.size is not None
    return merged.size.stacked


def _hoist(e: Emitter, current: Tokens, number: int):  # type: ignore[no-untyped-def]
    """Block 1's q/k/v current under I-SPS is carried over timesteps; all others are emitted."""
    if number > 1 or not _is_static(e):
        return lambda emit: emit()
    rows, width = current.rows, 3 * e.plan.config.dim
    assert isinstance(rows, FullRows)  # no token has halted before block 1

    def once(emit) -> str:  # type: ignore[no-untyped-def]
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
        return _same_at_every_step(e, e.filled(1, current.rows.slots, INT32))
    live = current.live.stacked
    return e.graph.op("ReduceSum", live, e.graph.ints(1), keepdims=1, name="live_count")


def _live_mask(e: Emitter, current: Tokens) -> str:
    """Which slots of a block run, int32 [C * B, K]."""
    if current.live is not None:
        return current.live.stacked
    return _same_at_every_step(e, e.filled(current.rows.slots, 1, INT32))


def _same_at_every_step(e: Emitter, value: str) -> str:
    """[B, ...] -> [C * B, ...]."""
    return e.steps.stack([value] * e.steps.count)


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
    graph = e.graph
    grid = current.rows.to_grid(current.x, e.plan.config.dim)
    if graph.float_type != FLOAT:
        grid = graph.op("Cast", grid, to=FLOAT, name="grid_float32")
    return graph.op("ReduceMean", grid, graph.ints(1), keepdims=0, name="readout")


def _no_score(e: Emitter) -> str:
    """Mode none has no halting score: zeros [B]."""
    return e.graph.op("Expand", e.graph.const([0.0], np.float32), e.batch, name="no_halt_score")


def _logits(e: Emitter, total: str, chunk: int) -> str:
    """FC(1/t sum y), float32."""
    graph, head = e.graph, e.plan.head
    steps = graph.const(float(chunk), np.float32)
    before = e.states.read_scalar("time", lambda: "")
    time = graph.op("Add", before, steps, name="time") if before else steps
    e.states.write_scalar("time", time)
    mean = graph.op("Div", total, time, name="readout_mean")
    weight, bias = graph.const(head.weight, np.float32), graph.const(head.bias, np.float32)
    return graph.op("Gemm", mean, weight, bias, name="head")


def _record_outputs(e: Emitter, options: GraphOptions, record: _Record) -> None:
    graph, chunk, depth = e.graph, options.chunk, e.plan.config.depth
    with graph.scope("record"):
        table = e.steps.by_image(record.counts, depth)
        graph.output("live_tokens", table, INT32, ["B", chunk, depth])
        for number, mask in record.masks.items():
            slots = e.plan.config.tokens_per_block[number - 1]
            shown = e.steps.by_image(mask, slots)
            graph.output(f"live.block{number}", shown, INT32, ["B", chunk, slots])
