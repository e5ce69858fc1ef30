"""Training curves from the logs of runs: loss, accuracy and tokens over epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spikehalt.console import chart_label
from train.figures.canvas import canvas, outside_legend

PANELS = (
    ("loss", "loss"),
    ("validation_accuracy", "validation accuracy"),
    ("average_tokens", "average tokens"),
)


def draw_curves(runs: Mapping[str, Sequence[Mapping[str, str]]]) -> Any:
    """One line per run; epochs are counted across its phases.

    Args:
        runs: rows of each run's log.csv, by a name for the legend.
    """
    figure, axes = canvas(4.0 * len(PANELS), 3.2, 1, len(PANELS))
    for axis, (column, title) in zip(axes[0], PANELS, strict=True):
        for name, rows in runs.items():
            values = [float(row[column]) for row in rows]
            axis.plot(range(1, len(values) + 1), values, label=chart_label(name))
        axis.set_title(title)
        axis.set_xlabel("epoch")
    outside_legend(figure, axes[0][0])
    return figure
