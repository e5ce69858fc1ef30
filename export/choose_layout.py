"""Which token layout `--layout auto` takes for ONNX Runtime, and why.

Packing saves the absent tokens' linear layers and pays a fixed price per block and timestep for
finding, gathering and scattering rows. What a block's linear layers cost grows with tokens times
width squared, so tiny models lose. `python -m benchmarks.layouts` shows where: above the bound
packing half the tokens costs a few percent at most for single images and gains on every batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from train.config import ModelConfig

ChosenLayout = Literal["packed", "dense", "lagged"]
# Million multiply-accumulates of a block's linear layers, from where packing half the tokens pays.
PAYS_FROM_MMACS = 0.5


@dataclass(frozen=True)
class LayoutChoice:
    """A layout, and the reason in words."""

    layout: ChosenLayout
    reason: str


def choose_layout(model: ModelConfig) -> LayoutChoice:
    """The layout that runs fastest in ONNX Runtime on a CPU, as far as the model's shape tells."""
    if model.halting.mode == "none":
        return LayoutChoice("dense", "no token halts, so there is nothing to pack")
    if model.halting.mode == "block":
        return LayoutChoice("dense", "in halting mode 'block' tokens come back")
    size = f"a block's linear layers cost {block_mmacs(model):.2f} M multiply-accumulates"
    if packing_pays(model):
        return LayoutChoice("packed", f"{size}, enough for packing to pay")
    return LayoutChoice(
        "dense", f"{size}: below {PAYS_FROM_MMACS:g} M, packing costs more than it saves"
    )


def packing_pays(model: ModelConfig) -> bool:
    """Whether half the tokens' linear layers cost more than packing them."""
    return block_mmacs(model) >= PAYS_FROM_MMACS


def block_mmacs(model: ModelConfig) -> float:
    """Million multiply-accumulates of block 1's linear layers at one timestep, all tokens alive."""
    weights = 4 * model.dim**2 + 2 * model.dim * model.hidden
    return model.tokens_per_block[0] * weights / 1e6
