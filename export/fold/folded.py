"""The folded network: everything a graph is built from, as numpy arrays and numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.config import ModelConfig
from train.staircase import Staircase

Array = NDArray[np.float32]


@dataclass(frozen=True)
class FoldedLinear:
    """y = x @ weight + bias: weight float32 [in, out], bias float32 [out]."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class FoldedConv:
    """Convolution padded by k // 2: weight float32 [out, in / groups, k, k], bias float32 [out]."""

    weight: Array
    bias: Array
    stride: int = 1
    groups: int = 1


@dataclass(frozen=True)
class FoldedLIF:
    """u = decay v + x, fires at u >= threshold, resets to 0 (hard) or by the threshold (soft)."""

    decay: float
    threshold: float
    reset: str


# A neuron: one with a membrane, or one that gives a staircase of its current, in steps of 1/D.
Neuron = FoldedLIF | Staircase


@dataclass(frozen=True)
class StemPlan:
    """Stem: its convolutions; `lif` iterated, or `stairs` evaluated once (I-SPS).

    Attributes:
        convs: folded; 1/tau is in those that a neuron follows, none of stages
            (`ModelConfig.stages`) whose currents are kept.
        lif: neuron behind a convolution.
        residual_lif: neuron on a current that is also kept, the fourth stage's
            (`Architecture.kept_currents`) or any of stages; tau in its threshold.
        stairs: spikes over T of a constant current, None for SPS.
        residual_stairs: likewise for `residual_lif`.
        gate_lif: neuron on the sums of a gate (`StageConv.gate`); 1/tau is in its threshold.
    """

    convs: tuple[FoldedConv, ...]
    lif: Neuron
    residual_lif: Neuron
    stairs: Staircase | None
    residual_stairs: Staircase | None
    gate_lif: Neuron


@dataclass(frozen=True)
class BlockPlan:
    """One block. `in_lif` and `fc1_lif` take residual currents where the neuron comes first.

    So does `fc2_lif` with `ModelConfig.adds_square_mlp`, where fc1's current is a residual too.
    `linear` is the layer of `ModelConfig.linear_first`, which takes spikes of `in_lif`'s kind.
    """

    in_lif: Neuron | None
    qkv: FoldedLinear
    attn_lif: Neuron
    proj: FoldedLinear
    fc1: FoldedLinear
    fc2: FoldedLinear
    lif: Neuron
    linear: FoldedLinear | None = None


@dataclass(frozen=True)
class ForecastPlan:
    """Forecasts behind one block (train/models/forecasts.py).

    Attributes:
        value: of a token's last value, [D, D].
        certainty: of that forecast, [D, 1].
    """

    value: FoldedLinear
    certainty: FoldedLinear


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
        forecasts: behind every block but the last, where scores are theirs; else empty.
    """

    config: ModelConfig
    pixel_scale: Array
    pixel_shift: Array
    stem: StemPlan
    blocks: tuple[BlockPlan, ...]
    head: FoldedLinear
    head_lif: Neuron | None = None
    forecasts: tuple[ForecastPlan, ...] = ()
