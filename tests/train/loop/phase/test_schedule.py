from __future__ import annotations

import pytest
import torch
from torch import nn

from train.loop.phase.schedule import cosine_with_warmup, parameter_groups, shuffled


def test_the_rate_rises_linearly_and_falls_to_zero() -> None:
    factor = cosine_with_warmup(100, 0.1)
    assert [factor(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert factor(10) == 1.0 and factor(55) == pytest.approx(0.5) and factor(100) == 0.0
    assert all(factor(s) > factor(s + 1) for s in range(10, 99))
    assert cosine_with_warmup(100, 0.1, 0.02)(100) == pytest.approx(0.02)


def test_orders_are_permutations_that_differ_by_epoch_phase_and_seed() -> None:
    order = shuffled(50, 0, "static", 1)
    assert torch.equal(order.sort().values, torch.arange(50))
    assert torch.equal(order, shuffled(50, 0, "static", 1))
    for other in ((0, "static", 2), (0, "halting", 1), (1, "static", 1)):
        assert not torch.equal(order, shuffled(50, *other))


def test_biases_and_normalisation_do_not_decay() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    decayed, rest = parameter_groups(network, 0.1)
    assert decayed["params"] == [network[0].weight] and decayed["weight_decay"] == 0.1
    assert len(rest["params"]) == 3 and rest["weight_decay"] == 0.0
