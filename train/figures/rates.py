"""Firing rates per layer and timestep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from train.figures.canvas import canvas


def draw_rates(rates: Mapping[str, Sequence[float]]) -> Any:
    """A map with a row per layer, in the order of the network, and a column per timestep.

    Args:
        rates: share of firing neurons at each timestep, by module name.
    """
    values = [list(row) for row in rates.values()]
    figure, axes = canvas(3.0 + 0.6 * len(values[0]), 1.0 + 0.25 * len(values))
    axis = axes[0][0]
    drawn = axis.imshow(values, vmin=0, cmap="magma", aspect="auto")
    axis.set_yticks(range(len(rates)), list(rates), fontsize=7)
    axis.set_xticks(range(len(values[0])), range(1, len(values[0]) + 1))
    axis.set_xlabel("timestep")
    figure.colorbar(drawn, label="firing rate")
    return figure
