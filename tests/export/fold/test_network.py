"""The folded network: which factor goes where."""

from __future__ import annotations

import numpy as np

from export.fold.network import make_plan
from tests.export.dyadic import dyadic_config, dyadic_network


def test_iterated_stems_have_no_staircase() -> None:
    plan = make_plan(dyadic_network(dyadic_config("spikformer", "sps", "none", 0)))
    assert plan.stem.stairs is None


def test_attention_scale_moves_into_the_threshold() -> None:
    config = dyadic_config("spikformer", "isps", "none", 0, attention_scale=0.25)
    plan = make_plan(dyadic_network(config))
    assert plan.blocks[0].attn_lif.threshold == 0.5 / (0.25 / 2)


def test_residual_currents_keep_their_unit() -> None:
    network = dyadic_network(dyadic_config("spikingformer", "isps", "none", 0))
    block, plan = network.blocks[0], make_plan(network).blocks[0]
    weight = block.mlp.fc2.linear.weight.detach().numpy().T
    np.testing.assert_array_equal(plan.fc2.weight, weight)  # no neuron follows
    np.testing.assert_array_equal(
        plan.fc1.weight, block.mlp.fc1.linear.weight.detach().numpy().T / 2
    )
    assert plan.in_lif is not None and plan.in_lif.threshold == 2.0
