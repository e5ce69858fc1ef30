from __future__ import annotations

import numpy as np

from runtime.bundle import EnergySpec
from runtime.results.estimate import average_tokens, energy_mj

LIVE = np.array([[[4, 2], [4, 0]], [[4, 4], [0, 0]]], np.int32)  # [B=2, T=2, L=2]
TIMESTEPS = np.array([2, 1])


def test_average_is_over_blocks_and_executed_timesteps_only() -> None:
    np.testing.assert_allclose(average_tokens(LIVE, TIMESTEPS, 4), [10 / 16, 1.0])


def test_energy_adds_once_timesteps_and_tokens() -> None:
    spec = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")

    np.testing.assert_allclose(
        energy_mj(spec, LIVE, TIMESTEPS), [1 + 2 * 0.5 + 0.82, 1 + 0.5 + 0.44]
    )
