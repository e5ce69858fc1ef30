"""Accuracy against average tokens (halting margins) and against average timesteps (exits)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from train.figures.canvas import canvas
from train.measure.exits import ExitPoint


def draw_tradeoff(margins: Sequence[ExitPoint], exits: Mapping[str, Sequence[ExitPoint]]) -> Any:
    """Two panels.

    Args:
        margins: all timesteps executed, one point per halting margin; none leaves the panel out.
        exits: points of each policy over its thresholds.
    """
    panels = 2 if margins else 1
    figure, axes = canvas(4.4 * panels, 3.4, 1, panels)
    if margins:
        tokens = [point.average_tokens for point in margins]
        axes[0][0].plot(tokens, [100 * point.accuracy for point in margins], marker="o")
        axes[0][0].set_xlabel("average tokens")
        axes[0][0].set_title("over the halting margin")
    last = axes[0][-1]
    for name, points in exits.items():
        ordered = sorted(points, key=lambda point: point.average_timesteps)
        timesteps = [point.average_timesteps for point in ordered]
        last.plot(timesteps, [100 * point.accuracy for point in ordered], marker=".", label=name)
    last.set_xlabel("average timesteps")
    last.set_title("over the exit threshold")
    last.legend()
    axes[0][0].set_ylabel("accuracy in %")
    return figure
