"""Figures of the papers, drawn from a trained model; needs matplotlib.

heatmap     how long each patch of an image stayed alive (AT-SNN fig. 5)
tokens      live, halted and merged tokens per block and timestep (AT-SNN figs. 6, 7)
tradeoff    accuracy against tokens and against timesteps
energy      energy per module, STATIC against the others (STAS fig. 8)
curves      training curves, e.g. by ponder weight (STAS fig. 6)
redundancy  likeness of tokens in consecutive blocks and timesteps (AT-SNN fig. 3, STAS fig. 2)
rates       firing rates per layer and timestep
"""

from train.figures.curves import draw_curves
from train.figures.energy import draw_energy
from train.figures.heatmap import draw_heatmaps
from train.figures.rates import draw_rates
from train.figures.redundancy import draw_redundancy
from train.figures.tokens import draw_tokens
from train.figures.tradeoff import draw_tradeoff

__all__ = [
    "draw_curves",
    "draw_energy",
    "draw_heatmaps",
    "draw_rates",
    "draw_redundancy",
    "draw_tokens",
    "draw_tradeoff",
]
