from __future__ import annotations

import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.samples import lively_network, random_images, tiny_model
from train.config import LossConfig, SilenceOf
from train.silence import Heard, listening, silence_loss


def test_a_spike_counts_by_the_accumulates_it_causes() -> None:
    quiet, loud = torch.zeros(2, 4), torch.ones(2, 4)
    assert silence_loss([Heard(quiet, 3, 1), Heard(loud, 9, 1)]) == 9 / 12
    assert silence_loss([Heard(quiet, 3, 2), Heard(loud, 6, 1)]) == 6 / 12
    assert silence_loss([Heard(quiet, 3, 1)]) == 0


def test_a_value_counts_once_however_many_spikes_it_holds_and_stands_for() -> None:
    rates = torch.tensor([[0.0, 0.25, 0.5, 1.0, 3.0]])
    spikes = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0]] * 4)
    expected = (4 * 3 + 4 * 2) / (5 * 3 + 20 * 2)
    assert silence_loss([Heard(rates, 3, 4), Heard(spikes, 2, 1)], "values").item() == (
        pytest.approx(expected)
    )


def test_small_values_are_pressed_most() -> None:
    rates = torch.tensor([[0.0, 0.25, 0.5, 1.0, 4.0]], requires_grad=True)
    silence_loss([Heard(rates, 1, 4)], "values").backward()
    assert rates.grad is not None
    torch.testing.assert_close(5 * rates.grad, torch.tensor([[1.0, 4.0, 2.0, 1.0, 0.25]]))


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


@pytest.mark.parametrize("of", ["spikes", "values"])
def test_gradients_lower_the_penalty(of: SilenceOf) -> None:
    config = tiny_model()
    network = lively_network(config).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=10.0)
    images, found = random_images(config, 4), []
    for _ in range(6):
        with listening(network, wanted=True) as heard:
            network(images)
        loss = silence_loss(heard, of)
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
