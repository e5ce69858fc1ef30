from __future__ import annotations

import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.samples import lively_network, random_images, tiny_model
from train.data import Split
from train.measure.firing_rates import rates_over_time
from train.measure.redundancy import _compare, block_outputs, token_redundancy
from train.models.neurons import LIF


def images(count: int) -> Split:
    return Split(random_images(tiny_model(), count), torch.zeros(count, dtype=torch.int64))


def test_cosine_and_error_compare_live_pairs_of_tokens() -> None:
    before = torch.tensor([[1.0, 0.0], [3.0, 4.0], [1.0, 1.0]]).view(1, 1, 1, 3, 2)
    after = torch.tensor([[0.0, 2.0], [3.0, 4.0], [9.0, 0.0]]).view(1, 1, 1, 3, 2)
    cosine, error, pairs = _compare(before, after, torch.tensor([1.0, 1.0, 0.0]).view(1, 1, 1, 3))
    assert cosine.item() == pytest.approx(0 + 1)
    assert error.item() == pytest.approx(5**0.5 / 2 + 0)
    assert pairs.item() == 2


def test_redundancy_is_that_of_the_blocks_outputs_whatever_the_batch() -> None:
    network, split = lively_network(tiny_model()), images(5)
    found = token_redundancy(network, split, images=5, batch_size=2)
    assert found.block_cosine.shape == (3, 2) and found.time_error.shape == (2, 3)
    with torch.no_grad(), block_outputs(network) as outputs:
        network(split.images)
    cosine = torch.cosine_similarity(outputs[0].double(), outputs[1].double(), -1).mean((1, 2))
    torch.testing.assert_close(found.block_cosine[:, 0], cosine)


def test_merged_tokens_are_not_compared() -> None:
    with pytest.raises(ConfigError, match="not the same tokens"):
        token_redundancy(lively_network(tiny_model(merge_gamma=2)), images(1))


def test_rates_over_time_have_every_layers_share_of_firing_neurons() -> None:
    network, split = lively_network(tiny_model()), images(5)
    rates = rates_over_time(network, split, images=5, batch_size=2)
    layers = [name for name, module in network.named_modules() if isinstance(module, LIF)]
    assert sorted(rates) == sorted(layers)
    spikes: list[torch.Tensor] = []
    hook = network.blocks[1].mlp.fc1_lif.register_forward_hook(lambda *a: spikes.append(a[2]))
    with torch.no_grad():
        network(split.images)
    hook.remove()
    expected = spikes[0].mean((1, 2, 3)).tolist()
    assert rates["blocks.1.mlp.fc1_lif"] == pytest.approx(expected)
