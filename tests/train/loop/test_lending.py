from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from spikehalt.errors import ConfigError
from tests.train.samples import PATCH_SPLITTING, lively_network, random_images, tiny_model
from train.config import ModelConfig
from train.loop.lending import HEAD, lend
from train.models import SpikingTransformer


def deeper(config: ModelConfig) -> SpikingTransformer:
    """A lively network, in training mode, with two blocks more than the configuration."""
    return lively_network(replace(config, depth=config.depth + 2), seed=1)


def without(weights: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {name: each for name, each in weights.items() if not name.startswith(prefixes)}


@pytest.mark.parametrize(
    "changes",
    [
        *({"arch": arch} for arch in PATCH_SPLITTING),
        {"arch": "sdt", "linear_first": True},
        {"halting": "block_time"},
    ],
    ids=str,
)
def test_a_deeper_network_answers_as_its_start_and_can_learn(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_model(**{**changes, "halting": "none"})
    start, images = lively_network(config), random_images(config, 6)
    network = deeper(config)
    before = network(images).logits
    lend(network, start.state_dict())
    assert not torch.equal(before, network(images).logits)
    torch.testing.assert_close(network(images).logits, start(images).logits, rtol=0, atol=1e-6)
    assert "the start has 3 blocks: the model's further 2 begin" in capsys.readouterr().err
    network.train()
    network(images).logits.square().sum().backward()
    for block in (network.blocks[3], network.blocks[4]):
        assert block.mlp.fc2.bn.weight.grad.abs().sum() > 0


def test_a_shallower_network_or_another_shape_is_refused() -> None:
    config = tiny_model()
    weights = deeper(config).state_dict()
    with pytest.raises(ConfigError, match="the start weights do not fit the model"):
        lend(lively_network(config), weights)
    with pytest.raises(ConfigError, match="do not fit"):
        lend(lively_network(replace(config, dim=64)), lively_network(config).state_dict())
    with pytest.raises(ConfigError, match="do not fit"):
        lend(lively_network(config), without(lively_network(config).state_dict(), "blocks."))
    with pytest.raises(ConfigError, match="do not fit"):
        lend(lively_network(config), without(lively_network(config).state_dict(), "blocks.1."))


def test_a_head_that_is_left_out_stays_the_networks_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tiny_model()
    network, start = lively_network(config, seed=1), lively_network(config)
    head = network.head.weight.clone()
    lend(network, without(start.state_dict(), *HEAD))
    assert torch.equal(network.head.weight, head)
    assert torch.equal(
        network.blocks[2].mlp.fc1.linear.weight, start.blocks[2].mlp.fc1.linear.weight
    )
    assert not capsys.readouterr().err
