"""Likeness of tokens in consecutive blocks and timesteps (AT-SNN fig. 3, STAS fig. 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikehalt.console import chart_label
from train.figures.canvas import canvas, outside_legend
from train.measure.redundancy import Redundancy

PANELS = (
    ("block_cosine", "cosine, consecutive blocks", 0),
    ("block_error", "estimation error, consecutive blocks", 0),
    ("time_cosine", "cosine, consecutive timesteps", 1),
    ("time_error", "estimation error, consecutive timesteps", 1),
)


def draw_redundancy(networks: Mapping[str, Redundancy]) -> Any:
    """One line per network and panel; what the panel's axis does not show is averaged.

    Args:
        networks: what was measured, by a name for the legend.
    """
    figure, axes = canvas(3.4 * len(PANELS), 3.2, 1, len(PANELS))
    for axis, (name, title, averaged) in zip(axes[0], PANELS, strict=True):
        for label, found in networks.items():
            values = getattr(found, name).mean(averaged).tolist()
            axis.plot(range(1, len(values) + 1), values, marker="o", label=chart_label(label))
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("from block" if averaged == 0 else "from timestep")
    outside_legend(figure, axes[0][0])
    return figure
