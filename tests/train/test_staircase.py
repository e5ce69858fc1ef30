from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikehalt.errors import ConfigError
from train.config import LIFConfig
from train.models.neurons import LIF, Rate
from train.staircase import evaluate, folded_counts, lif_counts, staircase

resets = st.sampled_from([None, 0.0, -0.5, 0.25])


def neighbourhood(positions: tuple[float, ...], reach: int) -> np.ndarray:
    """The `reach` float32 values on either side of each position."""
    bits = np.array(positions, np.float32).view(np.int32)
    return (bits[:, None] + np.arange(-reach, reach + 1, dtype=np.int32)).view(np.float32).ravel()


@settings(max_examples=25, deadline=None)
@given(
    tau=st.floats(1.0625, 8.0),
    threshold=st.floats(0.3125, 3.0),
    v_reset=resets,
    timesteps=st.integers(1, 8),
)
def test_staircase_equals_the_loop_on_every_float_near_a_step(
    tau: float, threshold: float, v_reset: float | None, timesteps: int
) -> None:
    count = lif_counts(tau, threshold, v_reset, timesteps)
    stairs = staircase(count, timesteps, 2 * tau * (threshold + abs(v_reset or 0.0)))
    currents = np.concatenate(
        [neighbourhood(stairs.at, 200), np.linspace(-3, 6 * tau, 4001, dtype=np.float32)]
    )
    np.testing.assert_array_equal(evaluate(stairs, currents), count(currents))
    assert sum(stairs.weight) == timesteps


@settings(max_examples=15, deadline=None)
@given(
    decay=st.floats(0.0, 0.9375),
    threshold=st.floats(0.3125, 3.0),
    reset=st.sampled_from(["hard", "soft"]),
    timesteps=st.integers(1, 8),
)
def test_the_folded_iteration_has_its_own_exact_staircase(
    decay: float, threshold: float, reset: str, timesteps: int
) -> None:
    count = folded_counts(decay, threshold, reset, timesteps)
    stairs = staircase(count, timesteps, 2 * threshold)
    currents = neighbourhood(stairs.at, 200)
    np.testing.assert_array_equal(evaluate(stairs, currents), count(currents))


def test_four_steps_of_the_papers_neuron() -> None:
    """Fires at once from x = 2; later firings follow from the geometric rise 1 - 2^-t."""
    stairs = staircase(lif_counts(2.0, 1.0, 0.0, 4), 4, 4.0)
    expected = [1 / (1 - 0.5**t) for t in (4, 2, 1)]
    np.testing.assert_allclose(stairs.at, expected, rtol=1e-6)
    assert stairs.weight == (1, 1, 2)


@pytest.mark.parametrize("tau", [2.0, 1.7])
@pytest.mark.parametrize("v_reset", [None, 0.0, -0.3])
def test_the_isps_neuron_is_the_mean_of_the_iterated_one(tau: float, v_reset: float | None) -> None:
    config = LIFConfig(tau=tau, threshold=0.9, v_reset=v_reset)
    rate, loop = Rate(config, 4), LIF(config, 4)
    near = torch.from_numpy(neighbourhood(tuple(rate.at), 50))
    x = torch.cat([near, torch.linspace(-1, 5, 1001)])
    assert torch.equal(rate(x), loop(x.unsqueeze(0)).mean(0))


def test_a_neuron_that_never_fires_is_refused() -> None:
    with pytest.raises(ConfigError, match="never fires more than 0 times"):
        staircase(lif_counts(2.0, 1.0, 0.0, 4), 4, 0.5)


def test_a_count_that_falls_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a monotone staircase"):
        staircase(lambda x: ((x > 1) & (x < 2) | (x > 3)).astype(np.int64), 1, 4.0)
