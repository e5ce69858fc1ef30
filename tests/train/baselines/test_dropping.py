from __future__ import annotations

import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.models.test_network import _Disturb
from tests.train.samples import lively_network, random_images, tiny_model
from train.baselines.dropping import (
    anchor_importance,
    keep_most_important,
    live_mean,
    random_importance,
)
from train.config import DropConfig, HaltingConfig, ModelConfig

KEEP = (1.0, 0.5, 0.25)


def test_the_most_important_live_tokens_stay() -> None:
    importance = torch.tensor([[[0.1, 0.9, 0.5, 0.7, 0.7]]])
    live = torch.tensor([[[1.0, 0.0, 1.0, 1.0, 1.0]]])
    assert keep_most_important(importance, live, 2).tolist() == [[[0, 0, 0, 1, 1]]]
    assert keep_most_important(importance, live, 1).tolist() == [[[0, 0, 0, 1, 0]]]
    assert torch.equal(keep_most_important(importance, live, 5), live)


def test_importance_is_the_cosine_with_the_mean_of_live_tokens() -> None:
    x = torch.tensor([[[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]]])
    live = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    anchor = torch.tensor([2.0, 1.0]) / 5**0.5
    expected = torch.stack([anchor[0], anchor[0], anchor[1]])
    torch.testing.assert_close(anchor_importance(x, live)[0, 0, :3], expected)


def test_random_importance_repeats_with_a_seed_only() -> None:
    shape, cpu = torch.Size((2, 3, 4)), torch.device("cpu")
    assert torch.equal(random_importance(shape, cpu, 1), random_importance(shape, cpu, 1))
    assert not torch.equal(random_importance(shape, cpu, None), random_importance(shape, cpu, None))


def test_the_mean_is_over_live_tokens() -> None:
    x = torch.tensor([[[[2.0], [4.0], [100.0]]]])
    assert live_mean(x, torch.tensor([[[1.0, 1.0, 0.0]]])).item() == 3.0
    assert live_mean(x, torch.zeros(1, 1, 3)).item() == 0.0


@pytest.mark.parametrize("kind", ["random", "anchor"])
def test_each_block_runs_its_share_and_absent_tokens_do_not_matter(kind: str) -> None:
    config = tiny_model(drop=DropConfig(kind, KEEP))  # type: ignore[arg-type]
    network, images = lively_network(config), random_images(config, 3)
    with torch.no_grad():
        output = network(images)
        network.blocks = torch.nn.ModuleList([_Disturb(block, 1e3) for block in network.blocks])
        disturbed = network(images)
    for live, share in zip(output.live, KEEP, strict=True):
        assert (live.sum(-1) == share * config.tokens).all()
    for before, after in zip(output.live[:-1], output.live[1:], strict=True):
        assert (after <= before).all()
    assert torch.equal(output.logits, disturbed.logits)


def test_training_draws_anew_and_evaluation_does_not() -> None:
    config = tiny_model(drop=DropConfig("random", KEEP))
    network, images = lively_network(config), random_images(config, 3)
    assert torch.equal(network(images).live[1], network(images).live[1])
    network.train()
    assert not torch.equal(network(images).live[1], network(images).live[1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"drop": DropConfig("random", (1.0, 0.5))}, "drop.keep has 2 shares for 3 blocks"),
        (
            {"drop": DropConfig("random", KEEP), "halting": HaltingConfig("block")},
            "drop is a baseline of its own",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig(depth=3, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "keep", "message"),
    [
        ("none", (1.0,), "drop.keep goes with drop.kind"),
        ("random", (), "drop.keep goes with drop.kind"),
        ("random", (0.9, 0.5), "must start with 1"),
        ("anchor", (1.0, 0.5, 0.6), "must never rise"),
        ("anchor", (1.0, 0.0), "stay above 0"),
    ],
)
def test_shares_must_make_sense(kind: str, keep: tuple[float, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DropConfig(kind, keep)  # type: ignore[arg-type]
