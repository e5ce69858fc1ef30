"""Emit halting and merging between blocks, and the readout they feed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from onnx import TensorProto

from export.emitter import Emitter
from export.lagged import LaggedRows, every_slot
from export.rows import FullRows, PackedRows, Rows, pack

FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32


@dataclass
class Tokens:
    """Tokens on their way through the blocks of one timestep.

    Attributes:
        x: rows [M, D].
        rows: which token each row is.
        size: float32 [B, K], or None when nothing has merged.
        cum: C(l, t), float32 [B, K], or None before the first block.
        live: int32 [B, K], or None when all are alive.
    """

    x: str
    rows: Rows
    size: str | None = None
    cum: str | None = None
    live: str | None = None


def merge(e: Emitter, tokens: Tokens, number: int) -> Tokens:
    """Merge tokens at the start of block `number`; unchanged where none merge there.

    Sources are chosen at t = 1 and kept as a state.
    """
    gamma = e.plan.config.gammas[number - 1]
    if gamma == 0:
        return tokens
    graph, slots, dim = e.graph, tokens.rows.slots, e.plan.config.dim
    name = f"block{number}.source"
    source = e.states.read(name, INT32, [gamma], lambda: graph.const([[-1]], np.int32))
    size = tokens.size or e.filled(slots, 1.0, FLOAT)
    live = tokens.live or e.filled(slots, 1, INT32)
    grid = tokens.rows.to_grid(tokens.x, dim)
    x, size, merged_live, keep, chosen = graph.custom(
        "TokenMerge", [grid, size, live, source], 5, name="merge", gamma=gamma
    )
    e.states.write(name, chosen, INT32, [gamma])
    cum = tokens.cum
    if cum is not None:
        cum = graph.op("GatherElements", cum, keep, axis=1, name="cum_kept")
    still = merged_live if tokens.live is not None else None
    return _place(e, Tokens(x, tokens.rows, size, cum, still), number)


def _place(e: Emitter, tokens: Tokens, number: int) -> Tokens:
    """Rows of a merged grid x [B, K', D]."""
    slots, dim = e.plan.config.tokens_per_block[number - 1], e.plan.config.dim
    if e.layout == "packed" and tokens.live is not None:
        rows: Rows = pack(e.graph, number, slots, tokens.live)
    elif e.layout == "lagged" and tokens.live is not None:
        rows = _lagged_rows(e, number, slots, tokens.live)
    else:
        rows = FullRows(e.graph, number, slots, tokens.live)
    return Tokens(rows.from_grid(tokens.x, dim), rows, tokens.size, tokens.cum, tokens.live)


def halt(e: Emitter, tokens: Tokens, number: int) -> tuple[Tokens, str]:
    """Decide who halts after block `number`.

    Returns:
        The tokens that go on, and sum_k p_k x_k, float32 [B, D].
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
        return LaggedRows(e.lagged_index(number, slots), live)
    e.states.write(f"block{number}.place", every_slot(e.graph, e.batch, slots), INT32, [slots])
    return FullRows(e.graph, number, slots, live, lagged=True)


def _enter_lagged(
    e: Emitter, x: str, rows: FullRows | LaggedRows, number: int, live: str
) -> tuple[str, Rows]:
    """Rows x of the block before `number` to the rows of block `number`."""
    if e.plan.config.gammas[number - 1]:  # the merge, which comes next, wants this block's grid
        same = (
            LaggedRows(rows.at, live)
            if isinstance(rows, LaggedRows)
            else replace(rows, live=live, _mask=None)
        )
        return x, same
    follow = _lagged_rows(e, number, rows.slots, live)
    if isinstance(follow, FullRows):
        return x, follow
    index = follow.at.within(rows.at) if isinstance(rows, LaggedRows) else follow.at.index
    return e.graph.op("Gather", x, index, axis=0, name="enter"), follow


def _halt_full(
    e: Emitter, tokens: Tokens, rows: FullRows | LaggedRows, number: int
) -> tuple[Tokens, str]:
    graph, slots, dim = e.graph, rows.slots, e.plan.config.dim
    inputs = [
        rows.to_grid(tokens.x, dim),
        tokens.size or e.filled(slots, 1.0, FLOAT),
        _history(e, number, slots),
        tokens.cum or e.filled(slots, 0.0, FLOAT),
        tokens.live or e.filled(slots, 1, INT32),
        e.epsilon,
    ]
    readout, hist, cum, live = graph.custom(
        "TokenHaltSum", inputs, 4, name="halt", **_attributes(e, number)
    )
    _remember(e, number, slots, hist)
    if e.layout == "dense" or number == e.plan.config.depth:
        follow: Rows = FullRows(graph, number + 1, slots, live)
        return Tokens(tokens.x, follow, tokens.size, cum, live), readout
    if e.layout == "lagged":
        x, follow = _enter_lagged(e, tokens.x, rows, number + 1, live)
        return Tokens(x, follow, tokens.size, cum, live), readout
    packed = pack(graph, number + 1, slots, live)
    x = graph.op("Gather", tokens.x, packed.index, axis=0, name="pack")
    return Tokens(x, packed, tokens.size, cum, live), readout


def _halt_packed(e: Emitter, tokens: Tokens, rows: PackedRows, number: int) -> tuple[Tokens, str]:
    graph, slots = e.graph, rows.slots
    history = _history(e, number, slots)
    assert tokens.cum is not None
    size = rows.vector(tokens.size or e.filled(slots, 1.0, FLOAT))
    inputs = [tokens.x, size, rows.vector(history), rows.vector(tokens.cum), rows.vector(rows.live)]
    each, hist_rows, _, live_rows = graph.custom(
        "TokenHalt", [*inputs, e.epsilon], 4, name="halt", **_attributes(e, number)
    )
    hist = rows.update(history, hist_rows)
    _remember(e, number, slots, hist)
    # Absent tokens keep their history, so the sum over blocks holds for all slots at once.
    cum = graph.op("Add", tokens.cum, hist, name="cum")
    readout = graph.op("MatMul", rows.one_hot(FLOAT), each, name="readout")
    rows.hand_on(e.states)
    if number == e.plan.config.depth:
        return Tokens(tokens.x, rows, tokens.size, cum, rows.live), readout
    live = rows.update(e.filled(slots, 0, INT32), live_rows)
    packed = pack(graph, number + 1, slots, live)
    found = graph.op("NonZero", live_rows, name="going_on")
    kept = graph.op("Reshape", found, graph.ints(-1), name="going_on_rows")
    x = graph.op("Gather", tokens.x, kept, axis=0, name="repack")
    return Tokens(x, packed, tokens.size, cum, live), readout
