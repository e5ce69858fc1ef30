from __future__ import annotations

import pytest
import torch
from torch import nn

from train.errors import CheckpointError
from train.importing.reparameterised import NORM, chained, scaled


def chain() -> nn.Sequential:
    """As E-SpikeFormer's: a wide layer, back, and two BatchNorms."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv1d(6, 9, 1, bias=False), nn.BatchNorm1d(9), nn.Conv1d(9, 6, 1, bias=False),
        nn.BatchNorm1d(6), nn.BatchNorm1d(6),
    )  # fmt: skip
    for value in layers.state_dict().values():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand_like(value) + 0.5)
    return layers.eval()


def test_a_chain_computes_what_its_layers_do_one_after_the_other() -> None:
    layers, x = chain(), torch.randn(4, 6, 5)
    folded = chained(dict(layers.state_dict()), [str(number) for number in range(5)])
    norm = nn.BatchNorm1d(6).eval()
    norm.load_state_dict({part: folded[f"bn.{part}"] for part in NORM}, strict=False)
    found = norm(torch.einsum("oi,bix->box", folded["weight"], x) + folded["bias"][:, None])
    torch.testing.assert_close(found, layers(x))


def test_a_factor_behind_a_norm_is_in_its_weight_and_bias() -> None:
    norm, factor, x = nn.BatchNorm1d(6).eval(), torch.rand(6), torch.randn(4, 6)
    norm.bias.data.uniform_()
    expected = norm(x) * factor
    norm.load_state_dict(scaled(dict(norm.state_dict()), factor))
    torch.testing.assert_close(norm(x), expected)


def test_a_tensor_that_is_missing_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"lacks the tensor '2\.weight'"):
        tensors = {key: value for key, value in chain().state_dict().items() if key != "2.weight"}
        chained(tensors, [str(number) for number in range(5)])
