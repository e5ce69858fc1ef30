"""Emit staircases of a current: firing rates of a constant one, neurons that give integers."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export.fold.float16 import round_up
from export.fold.staircases import rate_levels
from export.graph.builder import GraphBuilder
from train.staircase import Staircase


def rate(
    graph: GraphBuilder, current: str, stairs: Staircase, name: str, elem_type: int | None = None
) -> str:
    """Spikes over T, in the type (by default the graph's) and the shape of `current`.

    With T a power of two every rate is exact, and counting the steps reached is several times
    faster on a CPU than choosing. Otherwise 1/T rounds, and the rates must be training's sums:
    nested choices, highest step first wins.
    """
    if stairs.timesteps & (stairs.timesteps - 1):
        return _chosen(graph, current, stairs, name)
    if elem_type == TensorProto.FLOAT:
        positions = graph.const([[at] for at in stairs.at], np.float32)
        return counted(graph, current, positions, stairs, name, TensorProto.FLOAT)
    positions = graph.const([[_position(graph, at)] for at in stairs.at])
    return counted(graph, current, positions, stairs, name, graph.float_type)


def counted(
    graph: GraphBuilder, x: str, positions: str, stairs: Staircase, name: str, count_type: int
) -> str:
    """Spikes over T, or their number as uint8: a SpikeCount node.

    Args:
        graph: where the node goes.
        x: current, or integer sums it is linear in.
        positions: of the steps, the type of x, [S, 1], or [S, C] per channel.
        stairs: the neuron's; all nodes of a model agree on their weights.
        name: of the node.
        count_type: ONNX element type of the counts.
    """
    unit = 1.0 if count_type == TensorProto.UINT8 else 1 / stairs.timesteps
    (count,) = graph.custom(
        "SpikeCount", [x, positions], 1, name=name, weights=stairs.weight, unit=unit,
        count_type=count_type,
    )  # fmt: skip
    return count


def _position(graph: GraphBuilder, at: np.float32 | float) -> np.float16 | np.float32 | float:
    """A step's position in the graph's dtype, such that it decides as the float32 one does."""
    return round_up(at) if graph.dtype == np.float16 else at


def _chosen(graph: GraphBuilder, current: str, stairs: Staircase, name: str) -> str:
    value = graph.const(0.0)
    for at, level in rate_levels(stairs):
        position = graph.const(_position(graph, at))
        reached = graph.op("GreaterOrEqual", current, position, name=f"{name}_step")
        value = graph.op("Where", reached, graph.const(level), value, name=name)
    return value
