"""Overhead of halting and merging, per block: operations, bytes moved and energy.

score       alpha x[0] / size + beta and its sigmoid, two sums and a comparison: 3 MACs a token;
            with forecasts (train/models/forecasts.py) D + 2
readout     p-weighted sum of tokens into the answer: D MACs a token; with forecasts also D * D a
            timestep behind every block but the last
similarity  cosines of even with odd tokens: K_even * K_odd * D MACs a timestep, where tokens merge
packing     rows of live tokens moved to stand together: D words read and written a token
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from train.config import ModelConfig
from train.measure.constants import MemoryConstants
from train.measure.energy_with_memory import MAC_PJ, WORD_BYTES

_PJ_PER_UJ = 1e6


@dataclass(frozen=True)
class Overhead:
    """Overhead of one block for an average image, over all executed timesteps.

    Attributes:
        block: from 1.
        score_macs: of the halting scores.
        readout_macs: of the weighted readout.
        similarity_macs: of merging.
        packed_bytes: moved by packing, read and written.
        energy_uj: of all of it, in float32.
    """

    block: int
    score_macs: float
    readout_macs: float
    similarity_macs: float
    packed_bytes: float
    energy_uj: float


def overheads(
    config: ModelConfig, tokens_per_block: Tensor, memory: MemoryConstants
) -> list[Overhead]:
    """One entry per block; empty for a network that neither halts nor merges.

    Args:
        config: of the network.
        tokens_per_block: mean live tokens [T, L] over the executed timesteps.
        memory: what a byte costs.
    """
    if config.halting.mode == "none" and not config.merges:
        return []
    return [_overhead(config, index, tokens_per_block, memory) for index in range(config.depth)]


def _overhead(
    config: ModelConfig, index: int, tokens_per_block: Tensor, memory: MemoryConstants
) -> Overhead:
    live = float(tokens_per_block[:, index].double().sum())
    timesteps = tokens_per_block.shape[0]
    score, readout = _halting_macs(config, index, live, timesteps)
    similarity = timesteps * _similarity_macs(config, index)
    # Block 1 takes the tokens as they come; later ones those that are left.
    moved = 2 * WORD_BYTES["fp32"] * config.dim * live if index > 0 else 0.0
    operations_pj = (score + readout + similarity) * MAC_PJ["fp32"]
    energy_uj = (operations_pj + moved * memory.sram_pj_per_byte) / _PJ_PER_UJ
    return Overhead(index + 1, score, readout, similarity, moved, energy_uj)


def _halting_macs(
    config: ModelConfig, index: int, live: float, timesteps: int
) -> tuple[float, float]:
    """Of the scores, and of the readout."""
    per_token, per_timestep = config.halting_macs
    if per_token == 0:
        return 0.0, 0.0
    forecasts = timesteps * per_timestep / (config.depth - 1) if index < config.depth - 1 else 0.0
    return (per_token - config.dim) * live, config.dim * live + forecasts


def _similarity_macs(config: ModelConfig, index: int) -> float:
    """Of one timestep; tokens at even positions are compared with those at odd ones."""
    if not config.merging[index]:
        return 0.0
    tokens = config.tokens_per_block[index] + config.gammas[index]
    return float((tokens + 1) // 2 * (tokens // 2) * config.dim)
