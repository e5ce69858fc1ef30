"""Energy per module, one bar per network (STAS fig. 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spikehalt.console import chart_label, energy_unit
from train.figures.canvas import canvas, outside_legend
from train.measure.energy import MODULES, ModuleEnergy


def draw_energy(networks: Mapping[str, Sequence[ModuleEnergy]]) -> Any:
    """Stacked bars of energy per image, modules in the order of MODULES."""
    figure, axes = canvas(1.4 * len(networks) + 2.2, 3.4)
    axis = axes[0][0]
    names = list(networks)
    factor, unit = energy_unit(max(sum(e.energy_mj for e in each) for each in networks.values()))
    bars, bottom = list(map(chart_label, names)), [0.0] * len(names)
    for index, module in enumerate(MODULES):
        heights = [factor * networks[name][index].energy_mj for name in names]
        axis.bar(bars, heights, bottom=bottom, label=module)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axis.set_ylabel(f"energy per image in {unit} (estimate)")
    outside_legend(figure, axis)
    return figure
