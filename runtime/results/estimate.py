"""Two figures derived from live token counts: average tokens and the energy estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import EnergySpec

Counts = NDArray[np.int32]
Steps = NDArray[np.int64]
Doubles = NDArray[np.float64]

PJ_PER_MJ = 1e9


def average_tokens(live_tokens: Counts, timesteps: Steps, tokens: int) -> Doubles:
    """Live tokens over K_0, averaged over blocks and executed timesteps (design section 3).

    Args:
        live_tokens: int32 [B, T, L], 0 for timesteps not run.
        timesteps: int64 [B], executed timesteps, ≥ 1.
        tokens: K_0.

    Returns:
        float64 [B] in [0, 1].
    """
    blocks = live_tokens.shape[2]
    total = live_tokens.sum(axis=(1, 2), dtype=np.float64)
    return np.asarray(total / (timesteps * blocks * tokens), dtype=np.float64)


def energy_mj(spec: EnergySpec, live_tokens: Counts, timesteps: Steps) -> Doubles:
    """Estimated energy per image (STAS appendix A), in mJ.

    E = once + timesteps · per_timestep + Σ_t Σ_l live_tokens[t, l] · per_token[l].

    Args:
        spec: the bundle's constants.
        live_tokens: int32 [B, T, L], 0 for timesteps not run.
        timesteps: int64 [B], executed timesteps.

    Returns:
        float64 [B].
    """
    per_block = live_tokens.sum(axis=1, dtype=np.float64)  # [B, L]
    tokens = per_block @ np.asarray(spec.per_token_mj, np.float64)
    return np.asarray(spec.once_mj + timesteps * spec.per_timestep_mj + tokens, dtype=np.float64)


def counted_energy_mj(spec: EnergySpec, mac_ops: Doubles, ac_ops: Doubles) -> Doubles:
    """Energy per image from operations counted in the graph (STAS eq. 11-12), in mJ.

    E = mac_pj · multiply-accumulates + ac_pj · accumulates.

    Args:
        spec: the bundle's constants.
        mac_ops: float64 [B].
        ac_ops: float64 [B].

    Returns:
        float64 [B].
    """
    return np.asarray((spec.mac_pj * mac_ops + spec.ac_pj * ac_ops) / PJ_PER_MJ, dtype=np.float64)
