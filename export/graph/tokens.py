"""Emit halting and merging between blocks, and the readout they feed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from onnx import TensorProto

from export.graph.emitter import Emitter
from export.graph.layouts.base import Rows, Standing
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


@dataclass(frozen=True)
class Grid:
    """Tokens that merged, slot by slot.

    Attributes:
        x: [B, K', D] per timestep.
        size: float32 [B, K'].
        cum: C(l, t), float32 [B, K'], or None before the first block.
        live: int32 [B, K'], or None when all are alive.
    """

    x: PerStep
    size: PerStep
    cum: PerStep | None
    live: PerStep | None


def merge(e: Emitter, tokens: Tokens, number: int) -> Tokens:
    """Merge tokens at the start of block `number`; unchanged where none merge there."""
    if not e.plan.config.merging[number - 1]:
        return tokens
    grid = merged_grid(e, tokens, number)
    x, rows = e.layout.place(
        grid.x.stacked,
        number,
        e.plan.config.tokens_per_block[number - 1],
        e.plan.config.dim,
        grid.live.stacked if grid.live else None,
    )
    return replace(tokens, x=x, rows=rows, size=grid.size, cum=grid.cum, live=grid.live)


def merged_grid(e: Emitter, tokens: Tokens, number: int) -> Grid:
    """The tokens that are left; sources are chosen at t = 1 and kept as a state."""
    steps = Steps(e.graph, 1) if tokens.constant else e.steps
    grids = steps.split(tokens.rows.to_grid(tokens.x, e.plan.config.dim))
    gamma = e.plan.config.gammas[number - 1]
    merge_step = _merge_step if gamma else _merge_similar_step
    merged = [merge_step(e, tokens, number, step, grid) for step, grid in enumerate(grids)]
    xs, sizes, lives, cums, sources = zip(*merged, strict=True)
    for observer in e.observers:
        observer.merged(number, sources[0], gamma or tokens.rows.slots)
    # Slots that merged and stay are dead.
    known = tokens.live is not None or gamma == 0
    return Grid(
        PerStep(steps, parts=xs),
        PerStep(steps, parts=sizes),
        PerStep(steps, parts=cums) if tokens.cum is not None else None,
        PerStep(steps, parts=lives) if known else None,
    )


Step = tuple[str, str, str, str, str]
"""A timestep's x [B, K', D]; size, live, C(l, t) [B, K']; sources."""


def _merge_step(e: Emitter, tokens: Tokens, number: int, step: int, grid: str) -> Step:
    """One timestep's grid [B, K, D]: the gamma most similar pairs merge."""
    graph, gamma, name = e.graph, e.plan.config.gammas[number - 1], f"block{number}.source"
    size, live, cum = _standing(e, tokens, step)
    with e.steps.scope(step):
        source = e.states.read(name, INT32, [gamma], lambda: graph.const([[-1]], np.int32))
        x, size, live, keep, chosen = graph.custom(
            "TokenMerge", [grid, size, live, source], 5, name="merge", gamma=gamma
        )
        if cum:
            cum = graph.op("GatherElements", cum, keep, axis=1, name="cum_kept")
    e.states.write(name, chosen, INT32, [gamma])
    return x, size, live, cum, chosen


def _merge_similar_step(e: Emitter, tokens: Tokens, number: int, step: int, grid: str) -> Step:
    """One timestep's grid [B, K, D]: pairs as similar as the threshold merge; K' = K."""
    graph, slots, name = e.graph, tokens.rows.slots, f"block{number}.source"
    size, live, cum = _standing(e, tokens, step)
    threshold = e.plan.config.merge_threshold
    with e.steps.scope(step):
        source = e.states.read(name, INT32, [slots], lambda: graph.const([[-1]], np.int32))
        inputs = [grid, size, live, source]
        x, size, live, chosen = graph.custom(
            "TokenMergeSimilar", inputs, 4, name="merge", threshold=threshold
        )
    e.states.write(name, chosen, INT32, [slots])
    return x, size, live, cum, chosen


def _standing(e: Emitter, tokens: Tokens, step: int) -> tuple[str, str, str]:
    """Size, live and C(l, t) [B, K] of one timestep; the last empty before the first block."""
    slots = tokens.rows.slots
    size = tokens.size.parts[step] if tokens.size else e.chunk.filled(slots, 1.0, FLOAT)
    live = tokens.live.parts[step] if tokens.live else e.chunk.filled(slots, 1, INT32)
    return size, live, tokens.cum.parts[step] if tokens.cum else ""


def halt(e: Emitter, tokens: Tokens, number: int) -> tuple[Tokens, str]:
    """Decide who halts after block `number`.

    Returns:
        The tokens that go on, and sum_k p_k x_k, float32 [C * B, D].
    """
    decided = decide(e, tokens, number, tokens.x, e.plan.config.dim)
    return follow(e, tokens, number, decided), e.steps.stack(decided.readouts)


@dataclass(frozen=True)
class Decided:
    """What halting decided at every timestep of a chunk.

    Attributes:
        readouts: sum_k p_k x_k, float32 [B, D] each.
        cums: C(l, t), float32 [B, K] each.
        lives: who goes on, int32 [B, K] each.
    """

    readouts: list[str]
    cums: list[str]
    lives: list[str]


def decide(e: Emitter, tokens: Tokens, number: int, x: str, width: int) -> Decided:
    """Ask the halting op, by the first element of x [M, width]."""
    rows = tokens.rows
    size, cum, live = (
        value.parts if value else [e.chunk.filled(rows.slots, default, kind)] * e.steps.count
        for value, default, kind in (
            (tokens.size, 1.0, FLOAT), (tokens.cum, 0.0, FLOAT), (tokens.live, 1, INT32)
        )
    )  # fmt: skip
    readouts, cums, lives = [], [], []
    for step, part in enumerate(rows.to_halting(x, width)):
        with e.steps.scope(step):
            history = _history(e, number, rows.slots)
            standing = Standing(size[step], history, cum[step], live[step])
            readout, hist, cum_next, live_next = rows.halt(
                part, step, standing, e.epsilon, **_attributes(e, number)
            )
        _remember(e, number, rows.slots, hist)
        readouts.append(readout)
        cums.append(cum_next)
        lives.append(live_next)
    return Decided(readouts, cums, lives)


def follow(e: Emitter, tokens: Tokens, number: int, decided: Decided) -> Tokens:
    """The tokens that go on behind block `number`."""
    config = e.plan.config
    going, last = PerStep(e.steps, parts=decided.lives), number == config.depth
    merges = not last and config.merging[number]
    x, rows = e.layout.follow(tokens.x, tokens.rows, config.dim, going, merges=merges, last=last)
    return Tokens(x, rows, tokens.size, PerStep(e.steps, parts=decided.cums), going)


def _attributes(e: Emitter, number: int) -> dict[str, float]:
    halting = e.plan.config.halting
    last = int(number == e.plan.config.depth)
    return {"alpha": halting.alpha, "beta": halting.beta, "last": last}


def _history(e: Emitter, number: int, slots: int) -> str:
    """hist_l(t-1) [B, K]; zero in mode `block`, which carries nothing over timesteps."""
    zero = lambda: e.chunk.filled(slots, 0.0, FLOAT)  # noqa: E731
    if e.plan.config.halting.mode == "block":
        return zero()
    return e.states.read(f"block{number}.hist", FLOAT, [slots], zero)


def _remember(e: Emitter, number: int, slots: int, hist: str) -> None:
    if e.plan.config.halting.mode == "block_time":
        e.states.write(f"block{number}.hist", hist, FLOAT, [slots])
