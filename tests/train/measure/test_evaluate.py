from __future__ import annotations

import pytest
import torch

from tests.train.samples import lively_network, random_images, tiny_model
from train.data import Split
from train.errors import DataError
from train.measure.evaluate import evaluate, live_tokens


def split_of(count: int) -> Split:
    config = tiny_model()
    labels = torch.arange(count) % config.classes
    return Split(random_images(config, count), labels)


def test_figures_are_those_of_one_pass_whatever_the_batch() -> None:
    config = tiny_model(halting="block_time", merge_gamma=3)
    network, split = lively_network(config), split_of(11)
    with torch.no_grad():
        output = network(split.images)
    correct = (output.logits.argmax(-1) == split.labels).double().mean(1)
    tokens = torch.stack([live.sum((1, 2)) for live in output.live], -1) / 11
    for batch_size in (3, 64):
        found = evaluate(network, split, batch_size=batch_size)
        assert found.accuracy == pytest.approx(correct.tolist())
        assert found.average_tokens == pytest.approx(float(tokens.mean()) / config.tokens)
        torch.testing.assert_close(torch.tensor(found.tokens_per_block), tokens)
        assert found.images == 11


def test_live_tokens_are_counted_per_image_timestep_and_block() -> None:
    config = tiny_model(halting="block_time")
    output = lively_network(config)(random_images(config, 2))
    counts = live_tokens(output)
    assert counts.shape == (2, config.timesteps, config.depth)
    assert counts[1, 2, 0] == output.live[0][2, 1].sum()


def test_a_static_network_runs_all_tokens() -> None:
    assert evaluate(lively_network(tiny_model()), split_of(4)).average_tokens == 1.0


def test_the_networks_mode_is_restored() -> None:
    network = lively_network(tiny_model()).train()
    evaluate(network, split_of(4))
    assert network.training


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(DataError, match="the split is empty"):
        evaluate(lively_network(tiny_model()), split_of(0))
