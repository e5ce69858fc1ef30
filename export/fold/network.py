"""The folded network: everything a graph is built from, as numpy arrays and numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from export.fold.fold import (
    Array,
    FoldedConv,
    FoldedLIF,
    FoldedLinear,
    fold_conv,
    fold_lif,
    fold_linear,
)
from train.config import ModelConfig
from train.models import SpikingTransformer
from train.models.blocks import Block
from train.models.network import pixel_affine
from train.staircase import Staircase, folded_counts, staircase


@dataclass(frozen=True)
class StemPlan:
    """Stem: five convolutions; `lif` iterated, or `stairs` evaluated once (I-SPS).

    Attributes:
        convs: folded; 1/tau is in those that a neuron follows.
        lif: neuron behind a convolution.
        residual_lif: neuron on a current that is also kept (SDT's fourth stage); tau in its
            threshold.
        stairs: spikes over T of a constant current, None for SPS.
        residual_stairs: likewise for `residual_lif`.
    """

    convs: tuple[FoldedConv, ...]
    lif: FoldedLIF
    residual_lif: FoldedLIF
    stairs: Staircase | None
    residual_stairs: Staircase | None


@dataclass(frozen=True)
class BlockPlan:
    """One block. `in_lif` and `fc1_lif` take residual currents where the neuron comes first."""

    in_lif: FoldedLIF | None
    qkv: FoldedLinear
    attn_lif: FoldedLIF
    proj: FoldedLinear
    fc1: FoldedLinear
    fc2: FoldedLinear
    lif: FoldedLIF


@dataclass(frozen=True)
class NetworkPlan:
    """The whole network after folding.

    Attributes:
        config: as trained.
        pixel_scale: normalisation x * scale + shift of raw pixels, float32 [C or 1, 1, 1].
        pixel_shift: likewise.
        stem: the stem.
        blocks: the blocks.
        head: classifier.
        head_lif: neuron between readout and head, None without one; 1/tau is in its threshold.
    """

    config: ModelConfig
    pixel_scale: Array
    pixel_shift: Array
    stem: StemPlan
    blocks: tuple[BlockPlan, ...]
    head: FoldedLinear
    head_lif: FoldedLIF | None = None


def make_plan(network: SpikingTransformer) -> NetworkPlan:
    """Fold a network in its current state."""
    config = network.config
    scale, shift = (part.numpy() for part in pixel_affine(config))
    head = FoldedLinear(
        network.head.weight.detach().cpu().numpy().T.copy(),
        network.head.bias.detach().cpu().numpy(),
    )
    blocks = tuple(_block(block, config) for block in network.blocks)  # type: ignore[arg-type]
    lif = config.lif
    head_lif = fold_lif(lif, lif.threshold, 1 / lif.tau) if config.head_lif else None
    return NetworkPlan(config, scale, shift, _stem(network), blocks, head, head_lif)


def _stem(network: SpikingTransformer) -> StemPlan:
    config, inverse_tau = network.config, 1 / network.config.lif.tau
    # A neuron follows every convolution but those whose current is kept as such.
    kept = {"spikformer": (), "spikingformer": (4,), "sdt": (3, 4)}[config.arch]
    convs = tuple(
        fold_conv(conv, 1.0 if stage in kept else inverse_tau)  # type: ignore[arg-type]
        for stage, conv in enumerate(network.stem.convs)
    )
    lif = fold_lif(config.lif, config.lif.threshold)
    residual = fold_lif(config.lif, config.lif.threshold, gain=inverse_tau)
    if config.stem.kind != "isps":
        return StemPlan(convs, lif, residual, None, None)
    stairs, residual_stairs = (folded_staircase(each, config.timesteps) for each in (lif, residual))
    return StemPlan(convs, lif, residual, *of_one_shape(stairs, residual_stairs))


def folded_staircase(lif: FoldedLIF, timesteps: int) -> Staircase:
    """Spike count over T of the exported neuron under a constant current."""
    count = folded_counts(lif.decay, lif.threshold, lif.reset, timesteps)
    return staircase(count, timesteps, highest=2 * lif.threshold)


def of_one_shape(*stairs: Staircase) -> tuple[Staircase, ...]:
    """The staircases with equal weights: in a graph one function body counts for all of them.

    They are one neuron's at several thresholds; rounding may let steps meet in one and not in the
    other, and then all are written as steps of one spike.
    """
    if len({each.weight for each in stairs}) == 1:
        return stairs
    return tuple(
        replace(
            each,
            at=tuple(at for at, n in zip(each.at, each.weight, strict=True) for _ in range(n)),
            weight=(1,) * each.timesteps,
        )
        for each in stairs
    )


def _block(block: Block, config: ModelConfig) -> BlockPlan:
    lif, inverse_tau = config.lif, 1 / config.lif.tau
    first = config.arch != "spikformer"  # neuron before linear: residuals are currents
    attention: Any = block.attention
    mlp = block.mlp
    # SDT sums k * v over tokens, the others scale their product; both precede the attention neuron.
    scale = 1.0 if config.arch == "sdt" else config.attention_scale
    out = 1.0 if first else inverse_tau
    return BlockPlan(
        in_lif=fold_lif(lif, lif.threshold, gain=inverse_tau) if first else None,
        qkv=fold_linear(attention.qkv, inverse_tau),
        attn_lif=fold_lif(lif, lif.attention_threshold, gain=scale * inverse_tau),
        proj=fold_linear(attention.proj, out),
        fc1=fold_linear(mlp.fc1, inverse_tau),
        fc2=fold_linear(mlp.fc2, out),
        lif=fold_lif(lif, lif.threshold),
    )


def rate_levels(stairs: Staircase) -> list[tuple[np.float32, np.float32]]:
    """(position, firing rate from there on), ascending; rates add up as training adds them."""
    rate, levels = np.float32(0), []
    for at, weight in zip(stairs.at, stairs.weight, strict=False):
        rate = np.float32(rate + np.float32(weight / stairs.timesteps))
        levels.append((np.float32(at), rate))
    return levels
