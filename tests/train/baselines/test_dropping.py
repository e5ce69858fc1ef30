from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from spikehalt.errors import ConfigError
from spikehalt.strict import build, to_dict
from tests.train.models.test_network import _Disturb
from tests.train.samples import PATCH_SPLITTING, lively_network, random_images, tiny_model
from train.baselines.dropping import (
    DroppingTransformer,
    anchor_importance,
    keep_most_important,
    live_mean,
    random_importance,
)
from train.checkpoint import Checkpoint
from train.config import DropConfig, HaltingConfig, ModelConfig
from train.models import SpikingTransformer
from train.models.network import Tokens

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


def written_out(network: SpikingTransformer, images: Tensor, kind: str) -> Tensor:
    """Logits [T, B, N_c] of dropping written out as one loop over the network's parts."""
    pixels = images.float() * network.pixel_scale + network.pixel_shift
    x = network.stem(pixels.unsqueeze(0))
    live: Tensor | None = None
    for index, block in enumerate(network.blocks):
        x = block(x, live)
        if index == len(network.blocks) - 1:
            break
        before = torch.ones(x.shape[:3]) if live is None else live
        seeded = random_importance(before.shape, before.device, index)
        importance = anchor_importance(x, before) if kind == "anchor" else seeded
        live = keep_most_important(importance, before, int(KEEP[index + 1] * x.shape[2]))
        x = x * live.unsqueeze(-1)
    assert live is not None
    y = live_mean(x, live)
    return network.head(y.cumsum(0) / torch.arange(1, len(y) + 1).view(-1, 1, 1))  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", ["random", "anchor"])
@pytest.mark.parametrize("stem", ["isps", "sps"])
@pytest.mark.parametrize("arch", PATCH_SPLITTING)
@torch.no_grad()
def test_logits_are_those_of_the_loop_written_out(arch: Any, stem: str, kind: Any) -> None:
    config = tiny_model(arch=arch, stem=stem, drop=DropConfig(kind, KEEP))
    network, images = lively_network(config), random_images(config, 3)
    assert torch.equal(network(images).logits, written_out(network, images, kind))


def test_a_checkpoint_of_before_loads_and_drops() -> None:
    """`model.drop` is a key of the stored configuration, and weights have no names of their own."""
    config = tiny_model(drop=DropConfig("anchor", KEEP))
    plain = SpikingTransformer(config.static()).state_dict()
    stored = build(ModelConfig, to_dict(config))
    network = Checkpoint(stored, plain, (), "halting").network()
    assert isinstance(network, DroppingTransformer)
    assert network.state_dict().keys() == plain.keys()
    static = Checkpoint(config.static(), plain, (), "static").network()
    assert not isinstance(static, DroppingTransformer)


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


def test_the_most_active_run_and_the_others_pass_by() -> None:
    config = tiny_model(drop=DropConfig("activity", (1.0, 0.5, 0.5)), arch="spikingformer")
    network, images = lively_network(config), random_images(config, 3)
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    for block in network.blocks:
        block.register_forward_hook(lambda block, inputs, x: seen.append((*inputs, x)))
    with torch.no_grad():
        output = network(images)
    for index, (entering, live, x) in enumerate(seen[1:], 1):
        assert torch.equal(x[live == 0], entering[live == 0])
        active = entering.abs().mean((0, -1))
        for image in range(3):
            chosen = live[0, image] > 0
            assert chosen.sum() == 8 and torch.equal(live[:, image], live[:1, image].expand(3, -1))
            assert active[image][chosen].min() >= active[image][~chosen].max(), index
    torch.testing.assert_close(output.readouts, seen[-1][2].mean(-2))


def test_a_token_that_passed_by_runs_again_once_it_is_among_the_most_active() -> None:
    network = lively_network(tiny_model(drop=DropConfig("activity", (1.0, 0.25, 0.25))))
    x = torch.arange(16.0).view(1, 1, 16, 1).expand(3, 1, 16, 32)
    absent = torch.zeros(3, 1, 16)
    tokens, _ = network._after_block(Tokens(x, absent, absent, absent), 0.0, 0)
    assert tokens.live[0, 0].nonzero().flatten().tolist() == [12, 13, 14, 15]
    assert torch.equal(tokens.x, x)
