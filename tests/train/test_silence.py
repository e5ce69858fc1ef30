from __future__ import annotations

import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.samples import lively_network, random_images, tiny_model
from train.config import LossConfig
from train.silence import Heard, listening, silence_loss


def test_a_spike_counts_by_the_accumulates_it_causes() -> None:
    quiet, loud = torch.zeros(2, 4), torch.ones(2, 4)
    assert silence_loss([Heard(quiet, 3, 1), Heard(loud, 9, 1)]) == 9 / 12
    assert silence_loss([Heard(quiet, 3, 2), Heard(loud, 6, 1)]) == 6 / 12
    assert silence_loss([Heard(quiet, 3, 1)]) == 0


@pytest.mark.parametrize("arch", ["spikformer", "spikingformer", "sdt"])
@pytest.mark.parametrize("stem", ["isps", "sps"])
def test_every_layer_that_accumulates_is_heard_and_the_first_is_not(arch: str, stem: str) -> None:
    config = tiny_model(arch=arch, stem=stem)
    network = lively_network(config)
    with listening(network, wanted=True) as heard:
        network(random_images(config, 2))
    assert len(heard) == 4 + 4 * config.depth
    assert all(each.repeats * each.inputs.shape[0] == config.timesteps for each in heard)
    widths = {each.fan_out for each in heard}
    assert {3 * config.dim, config.dim, config.hidden, 9 * config.dim} <= widths


def test_absent_tokens_cause_nothing() -> None:
    config = tiny_model(halting="block_time")
    network = lively_network(config)
    with listening(network, wanted=True) as heard:
        output = network(random_images(config, 4))
    last = output.live[-1]  # of the last block
    assert float(last.mean()) < 1
    assert not heard[-2].inputs[last == 0].any()  # its first layer behind attention


def test_gradients_lower_the_penalty() -> None:
    config = tiny_model()
    network = lively_network(config).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=10.0)
    images, found = random_images(config, 4), []
    for _ in range(6):
        with listening(network, wanted=True) as heard:
            network(images)
        loss = silence_loss(heard)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    assert found[-1] < 0.9 * found[0]


def test_nobody_listens_unasked_or_afterwards() -> None:
    config = tiny_model()
    network = lively_network(config)
    with listening(network, wanted=False) as heard:
        network(random_images(config, 1))
    assert heard == []
    with listening(network, wanted=True) as heard:
        pass
    network(random_images(config, 1))
    assert heard == []


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match="silence must be >= 0"):
        LossConfig(silence=-1.0)
