from __future__ import annotations

import pytest
import torch

from export.errors import UnsupportedError
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import dyadic_config, dyadic_network


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("stem.convs.1.conv.weight", "the weights of stem convolution 2"),
        ("blocks.0.mlp.fc1.linear.weight", "the weights of fc1 in block 1"),
        ("head.bias", "the bias of the head"),
    ],
)
def test_weights_that_overflow_or_are_no_numbers_are_refused_by_name(
    parameter: str, name: str
) -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0))
    weights = network.state_dict()
    weights[parameter].view(-1)[0] = 3e38  # finite, and infinite once it is folded
    norm = parameter.replace("conv.weight", "bn.weight").replace("linear.weight", "bn.weight")
    weights[norm].view(-1)[0] = torch.inf if norm == parameter else 1e6

    with pytest.raises(UnsupportedError, match=f"{name} cannot be exported"):
        unroll(make_plan(network), ExportOptions(layout="packed"))
