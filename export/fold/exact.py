"""int8: exact activations, rounded weights (design section 7).

Spikes, sums of spikes and spike counts are small integers, or integers over T; a byte holds them
exactly. So a linear layer is

    W x + b  ~  (s * unit) * (Q n) + b        x = unit * n,  W ~ s Q

with n a byte, Q int8 and one s per output channel: only weights are rounded, and no calibration
data is needed. There are two forms of it: n is uint8 for ONNX Runtime on a CPU
(export/graph/layers/products.py), and int8 for engines (export/graph/layers/qdq.py). This module
proves the ranges; what does not fit stays float.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.fold.folded import Array
from train.architectures.stages import most_spikes
from train.config import ModelConfig

SIGNED_BYTE = 127
LARGEST_WEIGHT = 127
# x86 without VNNI adds two byte products in 16 bits and saturates there: a pair must stay below.
LARGEST_ACTIVATION = np.iinfo(np.int16).max // (2 * LARGEST_WEIGHT)  # 129


@dataclass(frozen=True)
class Exact:
    """Values `unit * n` with an integer n in 0..highest."""

    unit: float
    highest: int

    @property
    def fits(self) -> bool:
        """Whether integer products of n are exact on any processor, and float32 values too."""
        return bool(self.highest <= LARGEST_ACTIVATION and np.log2(self.unit).is_integer())

    @property
    def fits_signed(self) -> bool:
        """The same for a signed byte."""
        return self.fits and self.highest <= SIGNED_BYTE


SPIKES = Exact(1.0, 1)


@dataclass(frozen=True)
class Quantised:
    """weight ~ scale * values: values int8 [in, out], scale float32 [out]."""

    values: NDArray[np.int8]
    scale: Array


def quantise(weight: Array) -> Quantised:
    """Round to 255 levels per output channel; the largest weight of a channel is kept exactly.

    Args:
        weight: float32 [in, out].
    """
    largest = np.abs(weight.astype(np.float64)).max(0)
    scale = np.where(largest > 0, largest / LARGEST_WEIGHT, 1.0)
    values = np.rint(weight / scale)
    return Quantised(values.astype(np.int8), scale.astype(np.float32))


def spike_range(config: ModelConfig) -> Exact:
    """What a neuron of blocks and stages gives: a spike, or one of the integers 0..D over D."""
    if config.architecture.integer:
        return Exact(1 / config.lif.levels, config.lif.levels)
    return SPIKES


def rate_range(config: ModelConfig) -> Exact:
    """What a stem's neuron gives: a spike, or with I-SPS a spike count over T."""
    if config.stem.kind == "sps":
        return SPIKES
    return Exact(1 / config.timesteps, config.timesteps)


def token_range(config: ModelConfig, block: int, *, after_attention: bool = False) -> Exact | None:
    """Tokens that enter block `block` (from 1), after its merge, or its MLP.

    Where spikes are added: two from patch splitting, what stages add up, two in every block. A
    merge adds up to `ModelConfig.most_merged` tokens to one. Currents (`Architecture.lif_first`)
    have no such range: None.
    """
    if config.architecture.lif_first:
        return None
    rate = rate_range(config)
    highest = most_spikes(config.stages)[-1] if config.stages else 2 * rate.highest
    for merged in config.most_merged[: block - 1]:
        highest = highest * (merged + 1) + 2 * rate_steps(rate)
    highest *= config.most_merged[block - 1] + 1
    return Exact(rate.unit, highest + rate_steps(rate) * after_attention)


def stage_range(config: ModelConfig, stage: int) -> Exact:
    """What convolution `stage` of stages takes of another: spikes, or their sums."""
    conv = config.stages[stage]
    if conv.gate >= 0 or config.architecture.lif_first:
        return spike_range(config)
    return Exact(1.0, most_spikes(config.stages)[conv.takes])


def rate_steps(rate: Exact) -> int:
    """How many units a spike is."""
    return round(1 / rate.unit)


def integer_steps(at: Array, scale: Array, bias: Array) -> NDArray[np.int32]:
    """Smallest integer sums n with scale * n + bias >= at, per step and channel.

    A staircase of a current can so be read off the integers, which is exact.

    Args:
        at: positions of the steps, float32 [S].
        scale: positive, float32 [C].
        bias: float32 [C].

    Returns:
        int32 [S, C].
    """
    wanted = (at.astype(np.float64)[:, None] - bias.astype(np.float64)) / scale.astype(np.float64)
    limits = np.iinfo(np.int32)
    return np.clip(np.ceil(wanted), limits.min, limits.max).astype(np.int32)
