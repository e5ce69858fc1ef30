"""Accuracy against average tokens (halting margins) and against average timesteps (exits)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from train.figures.canvas import canvas
from train.measure.exits import ExitPoint


def draw_tradeoff(
    margins: Mapping[float, ExitPoint], exits: Mapping[str, Sequence[ExitPoint]], images: int
) -> Any:
    """Two panels; bars and bands are one standard error of the accuracy.

    Args:
        margins: all timesteps executed, a point by halting margin ε; none leaves the panel out.
        exits: points of each policy over its thresholds.
        images: number of images behind each accuracy.
    """
    panels = 2 if margins else 1
    figure, axes = canvas(4.4 * panels, 3.4, 1, panels)
    if margins:
        _draw_margins(axes[0][0], margins, images)
    last = axes[0][-1]
    for name, points in exits.items():
        ordered = sorted(points, key=lambda point: point.average_timesteps)
        timesteps = [point.average_timesteps for point in ordered]
        shares, errors = _accuracy(ordered, images)
        last.plot(timesteps, shares, marker=".", label=name)
        bands = zip(shares, errors, strict=True)
        low, high = zip(*((share - error, share + error) for share, error in bands), strict=True)
        last.fill_between(timesteps, low, high, alpha=0.15)
    last.set_xlabel("average timesteps")
    last.set_title("over the exit threshold")
    last.legend()
    axes[0][0].set_ylabel(f"accuracy in % ({images} images, ± standard error)")
    every = [*margins.values(), *(point for points in exits.values() for point in points)]
    for axis in axes[0]:
        _widen(axis, *_accuracy(every, images))
    return figure


def _draw_margins(axis: Any, margins: Mapping[float, ExitPoint], images: int) -> None:
    tokens = [point.average_tokens for point in margins.values()]
    shares, errors = _accuracy(list(margins.values()), images)
    axis.errorbar(tokens, shares, yerr=errors, marker="o", capsize=2)
    for epsilon, x, y in zip(margins, tokens, shares, strict=True):
        axis.annotate(
            f"ε {epsilon:g}", (x, y), xytext=(4, 4), textcoords="offset points", size="small"
        )
    axis.set_xlabel("average tokens (× K₀, the tokens before the first block)")
    axis.set_title("over the halting margin ε")


def _accuracy(points: Sequence[ExitPoint], images: int) -> tuple[list[float], list[float]]:
    """Accuracies and their standard errors, in %; an error is at least that of one image."""
    shares = [point.accuracy for point in points]
    errors = [max(math.sqrt(p * (1 - p) / images), 1 / images) for p in shares]
    return [100 * p for p in shares], [100 * error for error in errors]


def _widen(axis: Any, shares: Sequence[float], errors: Sequence[float]) -> None:
    """Show at least eight standard errors, so that single images do not look like structure."""
    low, high = min(shares) - 2 * max(errors), max(shares) + 2 * max(errors)
    missing = max(8 * max(errors) - (high - low), 0.0)
    axis.set_ylim(low - missing / 2, high + missing / 2)
