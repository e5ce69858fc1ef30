"""Live, halted and merged tokens per block and timestep (AT-SNN figs. 6 and 7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from train.figures.canvas import canvas, outside_legend
from train.measure.lifetimes import Fates


def draw_tokens(fates: Fates) -> Any:
    """Stacked bars, one panel per timestep."""
    timesteps, blocks = fates.live.shape
    figure, axes = canvas(2.4 * timesteps, 2.8, 1, timesteps)
    positions = np.arange(1, blocks + 1)
    for t, axis in enumerate(axes[0]):
        bottom = np.zeros(blocks)
        for name, counts in zip(fates._fields, fates, strict=True):
            heights = counts[t].numpy()
            axis.bar(positions, heights, bottom=bottom, label=name)
            bottom = bottom + heights
        axis.set_title(f"t = {t + 1}")
        axis.set_xlabel("block")
        axis.set_xticks(positions)
    axes[0][0].set_ylabel("tokens per image")
    outside_legend(figure, axes[0][0])
    return figure
