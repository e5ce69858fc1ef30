"""Emit firing rates under a constant current: the LIF's spike count is a staircase of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from export.builder import GraphBuilder
from export.plan import rate_levels
from export.precision import round_up
from train.staircase import Staircase


def rate(graph: GraphBuilder, current: str, stairs: Staircase, name: str) -> str:
    """Spikes over T, in the graph's dtype and the shape of `current`.

    With T a power of two every rate is exact, and counting the steps reached is several times
    faster on a CPU than choosing. Otherwise 1/T rounds, and the rates must be training's sums:
    nested choices, highest step first wins.
    """
    if stairs.timesteps & (stairs.timesteps - 1):
        return _chosen(graph, current, stairs, name)
    share = graph.const(1 / stairs.timesteps)
    return graph.op("Mul", _counted(graph, current, stairs, name), share, name=name)


def _counted(graph: GraphBuilder, current: str, stairs: Staircase, name: str) -> str:
    """Number of spikes."""
    terms: list[str] = []
    reached = _reached(graph, current, stairs, name)
    for (_, step), weight in zip(reached, stairs.weight, strict=True):
        term = graph.op("Cast", step, to=graph.float_type, name=f"{name}_reached")
        terms += [term] * weight
    return graph.op("Sum", *terms, name=f"{name}_count")


def _chosen(graph: GraphBuilder, current: str, stairs: Staircase, name: str) -> str:
    value = graph.const(0.0)
    for level, step in _reached(graph, current, stairs, name):
        value = graph.op("Where", step, graph.const(level), value, name=name)
    return value


def _reached(
    graph: GraphBuilder, current: str, stairs: Staircase, name: str
) -> Iterator[tuple[np.float32, str]]:
    """Per step, ascending: the rate from there on, and whether it is reached (bool)."""
    half = graph.dtype == np.float16
    for at, level in rate_levels(stairs):
        position = graph.const(round_up(at) if half else at)
        yield level, graph.op("GreaterOrEqual", current, position, name=f"{name}_step")
