from __future__ import annotations

from pathlib import Path

import torch

from tests.train.samples import lively_network, quick_run, random_images, tiny_model
from train.baselines.sml import WithSurrogateModules
from train.checkpoint import load_checkpoint
from train.config import LossConfig
from train.loop.phase.losses import total_loss
from train.loop.run import run


def test_the_networks_own_output_is_unchanged() -> None:
    config = tiny_model()
    network, images = lively_network(config), random_images(config, 4)
    output = WithSurrogateModules(network)(images)
    assert torch.equal(output.logits, network(images).logits)
    assert [tuple(logits.shape) for logits in output.surrogate_logits] == [(4, 10)] * 2
    assert network(images).surrogate_logits == ()


def test_gradients_reach_early_blocks_on_the_short_path_alone() -> None:
    config = tiny_model()
    network, images = lively_network(config).train(), random_images(config, 4)
    trainee = WithSurrogateModules(network)
    output = trainee(images)
    torch.stack(list(output.surrogate_logits)).logsumexp(-1).sum().backward()
    reached = [block.mlp.fc2.linear.weight.grad is not None for block in network.blocks]
    assert reached == [True, True, False] and network.head.weight.grad is None
    assert all(p.grad is not None for p in trainee.surrogates.parameters())


def test_their_losses_enter_with_their_weight() -> None:
    config, labels = tiny_model(), torch.arange(4)
    output = WithSurrogateModules(lively_network(config))(random_images(config, 4))
    plain = total_loss(output._replace(surrogate_logits=()), labels, LossConfig(), 0.0)
    weighted = total_loss(output, labels, LossConfig(surrogate_modules=0.5), 0.0)
    extra = [torch.nn.functional.cross_entropy(x, labels) for x in output.surrogate_logits]
    torch.testing.assert_close(weighted, plain + 0.5 * torch.stack(extra).mean())


def test_a_finished_checkpoint_holds_the_network_alone(tmp_path: Path) -> None:
    run(quick_run(tmp_path, loss={"surrogate_modules": 0.5}, halting={"epochs": 0}))
    finished, last = (load_checkpoint(tmp_path / name) for name in ("static.pt", "last.pt"))
    assert finished.network() and not [name for name in finished.weights if "surrogate" in name]
    assert last.training is not None and last.training["surrogate_modules"]
