"""The staircases of exported neurons under a constant current (I-SPS)."""

from __future__ import annotations

import numpy as np
import pytest

from export.fold.network import make_plan
from export.fold.staircases import folded_staircase, of_one_shape, rate_levels
from tests.export.dyadic import dyadic_config, dyadic_network
from train.staircase import Staircase, evaluate, folded_counts


@pytest.mark.parametrize("arch", ["spikformer", "spikingformer", "sdt"])
def test_staircase_equals_the_exported_loop(arch: str) -> None:
    plan = make_plan(dyadic_network(dyadic_config(arch, "isps", "none", 0)))
    assert plan.stem.stairs is not None
    lif = plan.stem.lif
    count = folded_counts(lif.decay, lif.threshold, lif.reset, 4)
    currents = np.linspace(-1, 3, 4001, dtype=np.float32)
    levels = rate_levels(plan.stem.stairs)
    rates = np.zeros_like(currents)
    for at, level in levels:
        rates = np.where(currents >= at, level, rates)
    np.testing.assert_array_equal(rates, count(currents).astype(np.float32) / 4)


def test_staircase_is_derived_and_not_typed_in() -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "none", 0, timesteps=6))
    plan = make_plan(network)
    assert plan.stem.stairs == folded_staircase(plan.stem.lif, 6)
    assert plan.stem.stairs is not None
    assert sum(plan.stem.stairs.weight) == 6


def test_staircases_that_differ_in_shape_are_written_as_single_steps() -> None:
    one = Staircase(at=(1.0, 2.0), weight=(1, 2), timesteps=3)
    other = Staircase(at=(1.0, 1.5, 2.0), weight=(1, 1, 1), timesteps=3)
    assert of_one_shape(one, one) == (one, one)
    alike = of_one_shape(one, other)
    assert [each.weight for each in alike] == [(1, 1, 1), (1, 1, 1)]
    x = np.linspace(0, 3, 61, dtype=np.float32)
    for before, after in zip((one, other), alike, strict=True):
        np.testing.assert_array_equal(evaluate(before, x), evaluate(after, x))
