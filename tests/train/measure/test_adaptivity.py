from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr

from train.errors import DataError
from train.measure.adaptivity import (
    adaptivity,
    computation,
    exit_histogram,
    rank_correlation,
    ranks,
    standard_error,
)
from train.measure.exits import Trace


def trace() -> Trace:
    """Two images, two timesteps, two blocks of four tokens."""
    empty = torch.zeros(2, 2)
    live = torch.tensor([[[4.0, 2.0], [2.0, 0.0]], [[4.0, 4.0], [4.0, 4.0]]])
    return Trace(empty.bool(), empty, empty, empty, live, tokens=4)


def test_computation_counts_live_tokens_of_executed_timesteps() -> None:
    assert computation(trace(), torch.tensor([2, 2])).tolist() == [8 / 16, 1.0]
    assert computation(trace(), torch.tensor([1, 2])).tolist() == [6 / 16, 1.0]


def test_quarters_are_taken_by_the_static_networks_confidence() -> None:
    confidence = torch.tensor([0.9, 0.2, 0.8, 0.3, 0.5, 0.6, 0.7, 0.4])
    found = adaptivity(torch.tensor([0.2, 1.0, 0.3, 0.8, 0.5, 0.5, 0.5, 0.5]), confidence)
    assert found.easiest == pytest.approx(0.25) and found.hardest == pytest.approx(0.9)
    assert found.ratio == pytest.approx(3.6)
    assert found.rank_correlation < -0.9


def test_computation_that_is_the_same_for_all_has_ratio_one_and_no_correlation() -> None:
    found = adaptivity(torch.full((8,), 0.4), torch.rand(8))
    assert found.ratio == pytest.approx(1) and found.rank_correlation == 0
    assert found.deviation == pytest.approx(0)


def test_one_image_alone_is_refused() -> None:
    with pytest.raises(DataError, match="compares images; there are 1"):
        adaptivity(torch.ones(1), torch.ones(1))


def test_equal_values_share_their_rank() -> None:
    assert ranks(torch.tensor([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1, 3.5, 2]


def test_the_rank_correlation_is_scipys() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randint(0, 5, (50,), generator=generator).float()  # with ties
    b = torch.randn(50, generator=generator) + a
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_the_exit_histogram_has_a_share_for_every_timestep() -> None:
    assert exit_histogram(torch.tensor([1, 1, 3, 2]), 4) == (0.5, 0.25, 0.25, 0)


def test_the_standard_error_is_that_of_a_share() -> None:
    assert standard_error(0.8, 10_000) == pytest.approx(0.004)
