from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.train.models import reference
from tests.train.samples import (
    PATCH_SPLITTING,
    dyadic_network,
    lively_network,
    random_images,
    tiny_model,
)
from train.config import ModelConfig
from train.models import SpikingTransformer

MODES = ("none", "block", "block_time")


def tokens_after_stem(network: SpikingTransformer, images: Tensor) -> Tensor:
    return network.stem(network._sequence(images))


@pytest.mark.parametrize("arch", PATCH_SPLITTING)
@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("mode", MODES)
def test_masking_is_the_same_function_as_removing_rows(arch: str, stem: str, mode: str) -> None:
    config = tiny_model(arch=arch, stem=stem, halting=mode, timesteps=4)
    network = dyadic_network(config, seed=4)
    images = random_images(config, 2)
    with torch.no_grad():
        output = network(images)
        tokens = tokens_after_stem(network, images)
    for image in range(len(images)):
        logits, ran = reference.forward(network, tokens[:, image])
        torch.testing.assert_close(output.logits[:, image], logits, rtol=1e-5, atol=1e-5)
        for block, live in enumerate(output.live):
            for t in range(config.timesteps):
                assert live[t, image].nonzero().flatten().tolist() == ran[t][block]


def test_tokens_do_halt_in_the_comparison_above() -> None:
    for arch in PATCH_SPLITTING:
        config = tiny_model(arch=arch, halting="block_time", timesteps=4)
        output = dyadic_network(config, seed=4)(random_images(config, 3))
        shares = [float(live.mean()) for live in output.live]
        assert shares[0] == 1 and 0.02 < shares[-1] < 0.98, (arch, shares)


@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_a_token_that_is_back_finds_its_membranes_as_it_left_them(arch: str) -> None:
    """Mode `block`: some token is absent at one timestep and present at the next."""
    config = tiny_model(arch=arch, halting="block", timesteps=4, stem="sps", input="frames")
    network, frames = dyadic_network(config, seed=4), random_images(config, 3)
    with torch.no_grad():
        output = network(frames)
        tokens = tokens_after_stem(network, frames)
    last = output.live[-1]
    assert ((last[:-1] == 0) & (last[1:] == 1)).any()
    for image in range(len(frames)):
        logits, _ = reference.forward(network, tokens[:, image])
        torch.testing.assert_close(output.logits[:, image], logits, rtol=1e-5, atol=1e-5)


class _Disturb(nn.Module):
    """Wraps a block; writes garbage into the vectors of absent tokens before it runs."""

    def __init__(self, block: nn.Module, noise: float) -> None:
        super().__init__()
        self.block, self.noise = block, noise

    def forward(self, x: Tensor, live: Tensor | None) -> Tensor:
        if live is not None:
            x = torch.where(live.unsqueeze(-1) > 0, x, torch.full_like(x, self.noise))
        return self.block(x, live)


@settings(max_examples=12, deadline=None)
@given(
    arch=st.sampled_from(PATCH_SPLITTING),
    mode=st.sampled_from(["block", "block_time"]),
    noise=st.sampled_from([-1e4, 3.0, 1e4]),
    seed=st.integers(0, 100),
)
def test_a_dead_tokens_values_never_change_any_output(
    arch: str, mode: str, noise: float, seed: int
) -> None:
    config = tiny_model(arch=arch, halting=mode)
    network, images = lively_network(config, seed), random_images(config, 2, seed)
    with torch.no_grad():
        clean = network(images)
        network.blocks = nn.ModuleList([_Disturb(block, noise) for block in network.blocks])
        disturbed = network(images)
    assert torch.equal(clean.logits, disturbed.logits)
    assert torch.equal(clean.halt_score, disturbed.halt_score)
    assert all(map(torch.equal, clean.live, disturbed.live))


@settings(max_examples=10, deadline=None)
@given(arch=st.sampled_from(PATCH_SPLITTING), gamma=st.integers(0, 9), seed=st.integers(0, 100))
def test_live_sets_shrink_in_block_and_time(arch: str, gamma: int, seed: int) -> None:
    config = tiny_model(arch=arch, halting="block_time", merge_gamma=gamma)
    with torch.no_grad():
        output = lively_network(config, seed)(random_images(config, 2, seed))
    counts = torch.stack([live.sum(-1) for live in output.live])
    assert (counts[1:] <= counts[:-1]).all()
    for live, slots in zip(output.live, config.tokens_per_block, strict=True):
        assert live.shape == (config.timesteps, 2, slots)
        assert (live[1:] <= live[:-1]).all()
    assert (output.halt_score[1:] >= output.halt_score[:-1]).all()


@settings(max_examples=10, deadline=None)
@given(
    arch=st.sampled_from(PATCH_SPLITTING),
    stem=st.sampled_from(["sps", "isps"]),
    mode=st.sampled_from(["none", "block_time"]),
    seed=st.integers(0, 100),
)
def test_live_sets_shrink_where_similar_tokens_merge(
    arch: str, stem: str, mode: str, seed: int
) -> None:
    config = tiny_model(arch=arch, stem=stem, halting=mode, merge_threshold=0.8)
    with torch.no_grad():
        output = lively_network(config, seed)(random_images(config, 2, seed))
    assert output.live[0].sum() < output.live[0].numel()
    for live in output.live:
        assert live.shape == (config.timesteps, 2, config.tokens)
        assert (live[1:] <= live[:-1]).all()
    for before, after in pairwise(output.live):
        assert (after <= before).all()


@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_a_threshold_that_no_pair_reaches_changes_nothing(arch: str, stem: str) -> None:
    config = tiny_model(arch=arch, stem=stem, halting="block_time", depth=1)
    network, images = dyadic_network(config), random_images(config, 3)
    merging = dyadic_network(config.merged_at(1.0))
    noise = torch.rand(3, config.tokens, config.dim, generator=torch.Generator().manual_seed(1))
    x = network.tokens_of(images) + (noise > 0.5)  # no two tokens are parallel
    with torch.no_grad():
        without, found = network.classify(x), merging.classify(x)
    assert torch.equal(found.live[0], without.live[0])
    torch.testing.assert_close(found.logits, without.logits)


@pytest.mark.parametrize("arch", PATCH_SPLITTING)
@pytest.mark.parametrize("merging", [{"merge_gamma": 0}, {"merge_gamma": 3}, {"merge_gamma": 25},
                                     {"merge_threshold": 0.8}])  # fmt: skip
def test_an_image_gets_alone_what_it_gets_in_a_batch(arch: str, merging: dict[str, Any]) -> None:
    config = tiny_model(arch=arch, halting="block_time", timesteps=4, **merging)
    network, images = dyadic_network(config, seed=4), random_images(config, 5)
    with torch.no_grad():
        together = network(images)
        alone = [network(images[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(together.logits, torch.cat([one.logits for one in alone], 1))
    for block, live in enumerate(together.live):
        assert torch.equal(live, torch.cat([one.live[block] for one in alone], 1))


def test_epsilon_given_at_call_time_overrides_the_configured_one() -> None:
    config = tiny_model(halting="block_time")
    network, images = lively_network(config), random_images(config, 3)
    with torch.no_grad():
        counts = [sum(float(m.sum()) for m in network(images, e).live) for e in (0.0, 0.5, 0.99)]
        assert torch.equal(network(images).logits, network(images, config.halting.epsilon).logits)
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


def test_with_epsilon_near_one_everything_halts_in_the_first_block() -> None:
    config = tiny_model(halting="block_time", timesteps=2)
    network, images = lively_network(config), random_images(config, 2)
    network.train()  # batch statistics of no token at all
    output = network(images, 0.9999999)
    assert output.live[1].sum() == 0
    output.logits.sum().backward()
    assert torch.isfinite(output.logits).all()


@pytest.mark.parametrize("merging", [{"merge_gamma": 2}, {"merge_threshold": 0.9}])
@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_gradients_reach_the_halting_scores_and_every_parameter(
    arch: str, merging: dict[str, Any]
) -> None:
    config = tiny_model(arch=arch, halting="block_time", **merging)
    network, images = lively_network(config).train(), random_images(config, 8)
    output = network(images)
    for step in output.steps:
        step.h.retain_grad()
    output.logits[-1].logsumexp(-1).sum().backward()
    assert all(step.h.grad is not None and (step.h.grad != 0).any() for step in output.steps[:-1])
    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert without == []


def test_running_logits_are_those_of_the_mean_readout() -> None:
    config = tiny_model()
    network = lively_network(config)
    output = network(random_images(config, 2))
    mean = output.readouts.mean(0)
    torch.testing.assert_close(output.logits[-1], network.head(mean))
    torch.testing.assert_close(output.logits[0], network.head(output.readouts[0]))


def test_event_frames_really_vary_over_time() -> None:
    config = tiny_model(stem="sps", input="frames", channels=2)
    network, frames = lively_network(config), random_images(config, 2)
    assert not torch.equal(network(frames).logits, network(frames.flip(1)).logits)


def test_pixels_are_normalised_by_mean_and_deviation() -> None:
    config = tiny_model(channels=3, pixel_mean=(0.1, 0.2, 0.3), pixel_std=(0.5, 0.25, 1.0))
    network = SpikingTransformer(config)
    pixels = network._sequence(random_images(config, 2))[0]
    raw = random_images(config, 2).double() / 255
    mean, std = (
        torch.tensor(v, dtype=torch.float64).view(-1, 1, 1)
        for v in ((0.1, 0.2, 0.3), (0.5, 0.25, 1.0))
    )
    torch.testing.assert_close(pixels.double(), (raw - mean) / std, rtol=1e-5, atol=1e-5)


def test_a_configuration_decides_everything_that_is_stored() -> None:
    config = ModelConfig(depth=1, dim=8, heads=1, image_size=(8, 8))
    names = SpikingTransformer(config).state_dict().keys()
    assert not [name for name in names if "pixel" in name]


@pytest.mark.parametrize("arch", PATCH_SPLITTING)
@pytest.mark.parametrize(
    ("stem", "source"), [("isps", "image"), ("sps", "image"), ("sps", "frames")]
)
@pytest.mark.parametrize("merging", [{"merge_gamma": 2}, {"merge_threshold": 0.9}])
def test_the_first_timesteps_are_a_prefix_of_all(
    arch: str, stem: str, source: str, merging: dict[str, Any]
) -> None:
    channels = 2 if source == "frames" else 1
    changes = {"channels": channels, "input": source, **merging}
    config = tiny_model(arch=arch, stem=stem, halting="block_time", timesteps=4, **changes)
    network, images = lively_network(config), random_images(config, 3)
    with torch.no_grad():
        everything = network(images)
        for count in (1, 2, 4):
            with network.first_timesteps(count):
                prefix = network(images)
            torch.testing.assert_close(prefix.logits, everything.logits[:count])
            for ran, of in zip(prefix.live, everything.live, strict=True):
                assert torch.equal(ran, of[:count])
        assert torch.equal(network(images).logits, everything.logits)
