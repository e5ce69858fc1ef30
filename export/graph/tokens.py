"""Emit halting and merging between blocks, and the readout they feed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from onnx import TensorProto

from export.graph.emitter import Emitter
from export.graph.layouts.lagged import LaggedRows, every_slot
from export.graph.layouts.rows import FullRows, PackedRows, Rows, every_row, pack
from export.graph.steps import PerStep, Steps

FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32


@dataclass
class Tokens:
    """Tokens on their way through the blocks, at every timestep of a chunk.

    Attributes:
        x: rows [M, D].
        rows: which token each row is.
        size: float32 [B, K] per timestep, or None when nothing has merged.
        cum: C(l, t), float32 [B, K] per timestep, or None before the first block.
        live: int32 [B, K] per timestep, or None when all are alive.
        constant: x is one timestep's, and the same at every other.
    """

    x: str
    rows: Rows
    size: PerStep | None = None
    cum: PerStep | None = None
    live: PerStep | None = None
    constant: bool = False


def merge(e: Emitter, tokens: Tokens, number: int) -> Tokens:
    """Merge tokens at the start of block `number`; unchanged where none merge there.

    Sources are chosen at t = 1 and kept as a state.
    """
    gamma = e.plan.config.gammas[number - 1]
    if gamma == 0:
        return tokens
    steps = Steps(e.graph, 1) if tokens.constant else e.steps
    grids = steps.split(tokens.rows.to_grid(tokens.x, e.plan.config.dim))
    merged = [_merge_step(e, tokens, number, step, grid) for step, grid in enumerate(grids)]
    xs, sizes, lives, cums = zip(*merged, strict=True)
    live = PerStep(steps, parts=lives) if tokens.live is not None else None
    cum = PerStep(steps, parts=cums) if tokens.cum is not None else None
    size = PerStep(steps, parts=sizes)
    grid = steps.stack(xs)
    return _place(e, replace(tokens, x=grid, size=size, cum=cum, live=live), number)


def _merge_step(
    e: Emitter, tokens: Tokens, number: int, step: int, grid: str
) -> tuple[str, str, str, str]:
    """One timestep's grid [B, K, D] merged: x [B, K', D], size, live and C(l, t) [B, K']."""
    graph, slots = e.graph, tokens.rows.slots
    gamma, name = e.plan.config.gammas[number - 1], f"block{number}.source"
    size = tokens.size.parts[step] if tokens.size else e.filled(slots, 1.0, FLOAT)
    live = tokens.live.parts[step] if tokens.live else e.filled(slots, 1, INT32)
    cum = tokens.cum.parts[step] if tokens.cum else ""
    with e.step_scope(step):
        source = e.states.read(name, INT32, [gamma], lambda: graph.const([[-1]], np.int32))
        x, size, live, keep, chosen = graph.custom(
            "TokenMerge", [grid, size, live, source], 5, name="merge", gamma=gamma
        )
        if cum:
            cum = graph.op("GatherElements", cum, keep, axis=1, name="cum_kept")
    e.states.write(name, chosen, INT32, [gamma])
    return x, size, live, cum


def _place(e: Emitter, tokens: Tokens, number: int) -> Tokens:
    """Rows of a merged grid x [B, K', D]."""
    slots, dim = e.plan.config.tokens_per_block[number - 1], e.plan.config.dim
    live = tokens.live.stacked if tokens.live else None
    if e.layout == "packed" and live:
        x = e.graph.op("Reshape", tokens.x, e.graph.ints(-1, dim), name="rows")
        index = every_row(e.graph, live)
        x, packed = pack(e.steps, number, slots, x, index, live, e.batch)
        return replace(tokens, x=x, rows=packed)
    rows: FullRows | LaggedRows = e.full_rows(number, slots, live)
    if e.layout == "lagged" and live:
        rows = _lagged_rows(e, number, slots, live)
    return replace(tokens, x=rows.from_grid(tokens.x, dim), rows=rows)


def halt(e: Emitter, tokens: Tokens, number: int) -> tuple[Tokens, str]:
    """Decide who halts after block `number`.

    Returns:
        The tokens that go on, and sum_k p_k x_k, float32 [C * B, D].
    """
    if isinstance(tokens.rows, PackedRows):
        return _halt_packed(e, tokens, tokens.rows, number)
    return _halt_full(e, tokens, tokens.rows, number)


def _attributes(e: Emitter, number: int) -> dict[str, float]:
    halting = e.plan.config.halting
    last = int(number == e.plan.config.depth)
    return {"alpha": halting.alpha, "beta": halting.beta, "last": last}


def _history(e: Emitter, number: int, slots: int) -> str:
    """hist_l(t-1) [B, K]; zero in mode `block`, which carries nothing over timesteps."""
    zero = lambda: e.filled(slots, 0.0, FLOAT)  # noqa: E731
    if e.plan.config.halting.mode == "block":
        return zero()
    return e.states.read(f"block{number}.hist", FLOAT, [slots], zero)


def _remember(e: Emitter, number: int, slots: int, hist: str) -> None:
    if e.plan.config.halting.mode == "block_time":
        e.states.write(f"block{number}.hist", hist, FLOAT, [slots])


def _lagged_rows(e: Emitter, number: int, slots: int, live: str) -> FullRows | LaggedRows:
    """Rows of block `number`: those the runtime named, or all of them at the start."""
    if e.states.resumed:
        return LaggedRows(e.lagged_index(number, slots), live, e.steps)
    e.states.write(f"block{number}.place", every_slot(e.graph, e.batch, slots), INT32, [slots])
    return FullRows(e.graph, number, slots, live, as_rows=True)


def _enter_lagged(
    e: Emitter, x: str, rows: FullRows | LaggedRows, number: int, live: str
) -> tuple[str, Rows]:
    """Rows x of the block before `number` to the rows of block `number`."""
    if e.plan.config.gammas[number - 1]:  # the merge, which comes next, wants this block's grid
        same = (
            LaggedRows(rows.at, live, e.steps)
            if isinstance(rows, LaggedRows)
            else replace(rows, live=live, _mask=None)
        )
        return x, same
    follow = _lagged_rows(e, number, rows.slots, live)
    if isinstance(follow, FullRows):
        return x, follow
    tail = [e.plan.config.dim]
    index = follow.at.within(rows.at) if isinstance(rows, LaggedRows) else follow.at.index
    return follow.pick(x, index, tail, "enter"), follow


def _halt_full(
    e: Emitter, tokens: Tokens, rows: FullRows | LaggedRows, number: int
) -> tuple[Tokens, str]:
    graph, slots, dim = e.graph, rows.slots, e.plan.config.dim
    size, cum, live = (
        value.parts if value else [e.filled(slots, default, kind)] * e.steps.count
        for value, default, kind in (
            (tokens.size, 1.0, FLOAT), (tokens.cum, 0.0, FLOAT), (tokens.live, 1, INT32)
        )
    )  # fmt: skip
    readouts, cums, lives = [], [], []
    for step, grid in enumerate(e.steps.split(rows.to_grid(tokens.x, dim))):
        with e.step_scope(step):
            history = _history(e, number, slots)
            readout, hist, cum_next, live_next = graph.custom(
                "TokenHaltSum", [grid, size[step], history, cum[step], live[step], e.epsilon], 4,
                name="halt", **_attributes(e, number),
            )  # fmt: skip
        _remember(e, number, slots, hist)
        readouts.append(readout)
        cums.append(cum_next)
        lives.append(live_next)
    going = PerStep(e.steps, parts=lives)
    x, follow = _go_on(e, tokens.x, rows, number, going)
    after = Tokens(x, follow, tokens.size, PerStep(e.steps, parts=cums), going)
    return after, e.steps.stack(readouts)


def _go_on(
    e: Emitter, x: str, rows: FullRows | LaggedRows, number: int, live: PerStep
) -> tuple[str, Rows]:
    """Rows x of block `number`, and which they are, for the block after it."""
    if e.layout == "dense" or number == e.plan.config.depth:
        return x, e.full_rows(number + 1, rows.slots, live.stacked)
    if e.layout == "lagged":
        return _enter_lagged(e, x, rows, number + 1, live.stacked)
    index = every_row(e.graph, live.stacked)
    return pack(e.steps, number + 1, rows.slots, x, index, live.stacked, e.batch)


def _halt_packed(e: Emitter, tokens: Tokens, rows: PackedRows, number: int) -> tuple[Tokens, str]:
    graph, slots = e.graph, rows.slots
    assert tokens.cum is not None
    sizes = tokens.size.parts if tokens.size else [e.filled(slots, 1.0, FLOAT)] * e.steps.count
    readouts, cums, lives = [], [], []
    for step, x in enumerate(rows.split(tokens.x)):
        with e.step_scope(step):
            history = _history(e, number, slots)
            inputs = [x, rows.index_at(step), sizes[step], history, tokens.cum.parts[step]]
            readout, hist, cum, live = graph.custom(
                "PackedTokenHalt", [*inputs, e.epsilon], 4, name="halt", **_attributes(e, number)
            )
        _remember(e, number, slots, hist)
        readouts.append(readout)
        cums.append(cum)
        lives.append(live)
    rows.hand_on(e.states)
    cum_next, going = PerStep(e.steps, parts=cums), PerStep(e.steps, parts=lives)
    if number == e.plan.config.depth:
        return replace(tokens, cum=cum_next), e.steps.stack(readouts)
    x, packed = pack(e.steps, number + 1, slots, tokens.x, rows.index, going.stacked, e.batch)
    return Tokens(x, packed, tokens.size, cum_next, going), e.steps.stack(readouts)
