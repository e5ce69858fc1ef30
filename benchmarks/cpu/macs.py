"""Multiply-accumulates per image, of ours and of the dense ANN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.config import ModelConfig


def stem_macs(config: ModelConfig) -> list[int]:
    """Multiply-accumulates of the stem's five convolutions on one image, one pass."""
    before, macs = config.channels, []
    for stage, ratio in enumerate((8, 4, 2, 1, 1)):
        height, width = config.resolution(stage)
        after = config.dim // ratio
        macs.append(9 * before * after * height * width)
        before = after
    return macs


def token_macs(config: ModelConfig) -> int:
    """Multiply-accumulates of one block's linear layers, per live token."""
    squares = 4 + config.linear_first
    return squares * config.dim**2 + 2 * config.dim * config.hidden


def attention_macs(config: ModelConfig) -> int:
    """Multiply-accumulates of one block's attention, over all slots, in the cheaper order."""
    width = config.dim // config.heads
    return 2 * config.tokens * config.dim * min(config.tokens, width)


def dense_macs(config: ModelConfig) -> int:
    """Multiply-accumulates of the dense ANN on one image; softmax allows one order only."""
    attention = 2 * config.tokens**2 * config.dim
    blocks = config.depth * (config.tokens * token_macs(config) + attention)
    return sum(stem_macs(config)) + blocks


def spiking_macs(config: ModelConfig, live: NDArray[np.int64], timesteps: int) -> int:
    """Multiply-accumulates of our graphs on one image with these live tokens [T, L].

    With I-SPS the tokens that enter block 1 do not depend on t. A block that begins with the q/k/v
    product runs it once then; one that begins with a neuron does not, since its spikes do depend.
    """
    first, *rest = stem_macs(config)
    static = config.stem.kind == "isps"
    passes = 1 if static else timesteps
    hoisted = static and not config.architecture.lif_first
    once = config.tokens * 3 * config.dim**2 if hoisted else 0
    blocks = int(live[:timesteps].sum()) * token_macs(config)
    attention = timesteps * config.depth * attention_macs(config)
    return first + passes * sum(rest) + blocks - (timesteps - 1) * once + attention
