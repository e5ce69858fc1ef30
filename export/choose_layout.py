"""Which token layout a bundle gets, and why: the one place where that is decided.

For ONNX Runtime on a CPU: packing saves the absent tokens' linear layers and pays a fixed price per
block and timestep for finding, gathering and scattering rows. What a block's linear layers cost
grows with tokens times width squared, so tiny models lose. `python -m benchmarks.layouts` shows
where: above the bound packing half the tokens costs a few percent at most for single images and
gains on every batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from export.options import AUTO, ExportOptions
from spikehalt.vocabulary import Layout

if TYPE_CHECKING:
    from train.config import ModelConfig

# Million multiply-accumulates of a block's linear layers, from where packing half the tokens pays.
PAYS_FROM_MMACS = 0.5
# The same before merging, from where it pays for single images (`benchmarks.layouts --merging`).
MERGING_PAYS_FROM_MMACS = 10.0


@dataclass(frozen=True)
class LayoutChoice:
    """A layout, and why.

    Attributes:
        layout: the layout.
        reason: in words; empty where it was asked for.
        advice: what else to know; empty where nothing.
    """

    layout: Layout
    reason: str = ""
    advice: str = ""

    @property
    def notes(self) -> list[str]:
        """What to tell the user, one line each."""
        chosen = f"layout {self.layout}: {self.reason} (--layout overrides)"
        return [text for text in (self.reason and chosen, self.advice) if text]


def choose_layout(model: ModelConfig, options: ExportOptions | None = None) -> LayoutChoice:
    """The layout that was asked for, or else what runs best where the bundle is to run.

    Args:
        model: as it is exported.
        options: what was asked for; None: nothing, and a bundle for ONNX Runtime on a CPU.
    """
    options = options or ExportOptions()
    if options.layout != AUTO:
        return LayoutChoice(options.layout)
    if options.engine_batch is not None:
        return _for_engines(model, options.chunk, options.engine_batch)
    if options.qdq:
        return LayoutChoice("dense", "engines, which are built later, cannot pack tokens")
    return replace(_for_cpus(model), advice=merging_advice(model))


def _for_engines(model: ModelConfig, chunk: int, batch: int) -> LayoutChoice:
    """With several images, lagged rows save the work of tokens that halted in earlier chunks."""
    if not _tokens_leave(model):
        return LayoutChoice("dense", "no token is gone for good")
    if chunk == model.timesteps:
        return LayoutChoice("dense", "one graph runs all timesteps, so there is no earlier chunk")
    if batch == 1:
        return LayoutChoice("dense", "one image fills no GPU, so its masked rows cost nothing")
    return LayoutChoice("lagged", "tokens that halted in earlier chunks are left out")


def _tokens_leave(model: ModelConfig) -> bool:
    """Whether slots are dead from a timestep on: their tokens halted, or merged and left them."""
    mode = model.halting.mode
    return mode == "block_time" or (mode == "none" and model.merge_threshold > 0)


def _for_cpus(model: ModelConfig) -> LayoutChoice:
    """What runs fastest in ONNX Runtime on a CPU, as far as the model's shape tells."""
    if model.halting.mode == "block":
        return LayoutChoice("dense", "in halting mode 'block' tokens come back")
    if not _tokens_leave(model):
        return LayoutChoice("dense", "no token halts, so there is nothing to pack")
    size = f"a block's linear layers cost {block_mmacs(model):.2f} M multiply-accumulates"
    if packing_pays(model):
        return LayoutChoice("packed", f"{size}, enough for packing to pay")
    return LayoutChoice(
        "dense", f"{size}: below {PAYS_FROM_MMACS:g} M, packing costs more than it saves"
    )


def merging_advice(model: ModelConfig) -> str:
    """What to know where merging makes single images slower on a CPU; empty where it does not.

    Merging is part of what was trained, so it is not left out unasked.
    """
    whole = block_mmacs(model.merged_at(0.0))
    if not model.merges or whole >= MERGING_PAYS_FROM_MMACS:
        return ""
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
