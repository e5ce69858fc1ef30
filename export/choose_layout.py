"""Which token layout `--layout auto` takes for ONNX Runtime, and why.

Packing saves the absent tokens' linear layers and pays a fixed price per block and timestep for
finding, gathering and scattering rows. What a block's linear layers cost grows with tokens times
width squared, so tiny models lose. `python -m benchmarks.layouts` shows where: above the bound
packing half the tokens costs a few percent at most for single images and gains on every batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from train.config import ModelConfig

ChosenLayout = Literal["packed", "dense", "lagged"]
# Million multiply-accumulates of a block's linear layers, from where packing half the tokens pays.
PAYS_FROM_MMACS = 0.5
# The same before merging, from where it pays for single images (`benchmarks.layouts --merging`).
MERGING_PAYS_FROM_MMACS = 10.0


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


def merging_advice(model: ModelConfig) -> str | None:
    """What to know where merging makes single images slower on a CPU; None where it does not.

    Merging is part of what was trained, so it is not left out unasked.
    """
    whole = block_mmacs(replace(model, merge_gamma=0))
    if model.merge_gamma == 0 or whole >= MERGING_PAYS_FROM_MMACS:
        return None
    return (
        f"merging: without it a block's linear layers cost {whole:.2f} M multiply-accumulates; "
        f"below {MERGING_PAYS_FROM_MMACS:g} M it can make single images slower on a CPU; "
        f"batches gain from {PAYS_FROM_MMACS:g} M on (--merge-gamma 0 leaves it out)"
    )


def packing_pays(model: ModelConfig) -> bool:
    """Whether half the tokens' linear layers cost more than packing them."""
    return block_mmacs(model) >= PAYS_FROM_MMACS


def block_mmacs(model: ModelConfig) -> float:
    """Million multiply-accumulates of block 1's linear layers at one timestep, all tokens alive."""
    weights = 4 * model.dim**2 + 2 * model.dim * model.hidden
    return model.tokens_per_block[0] * weights / 1e6
