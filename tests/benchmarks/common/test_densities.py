"""Densities of a trained network are measured, stretched and imposed on a random one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.common import densities
from benchmarks.common.densities import (
    BLOCK,
    STEM,
    Densities,
    first_threshold,
    impose_densities,
    measure_densities,
)
from benchmarks.common.networks import random_images, random_network
from tests.train.samples import tiny_model
from train.config import LIFConfig, ModelConfig
from train.models import SpikingTransformer
from train.models.neurons import LIF, Rate
from train.models.stem import pool


def numbered(blocks: int) -> Densities:
    """Shares that say where they stand."""
    return Densities(np.arange(5) / 10, np.arange(6.0 * blocks).reshape(blocks, 6))


def test_a_network_of_the_same_depth_has_the_same_shares() -> None:
    recorded = numbered(4)
    np.testing.assert_array_equal(recorded.stretched(4).blocks, recorded.blocks)
    np.testing.assert_array_equal(recorded.stretched(4).stem, recorded.stem)


@pytest.mark.parametrize(
    ("recorded", "wanted", "nearest"),
    [
        (2, 4, [0, 0, 1, 1]),
        (4, 2, [1, 3]),
        (4, 8, [0, 0, 1, 1, 2, 2, 3, 3]),
        (3, 1, [1]),
        (2, 3, [0, 1, 1]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_another_depth_takes_the_block_in_its_position(
    recorded: int, wanted: int, nearest: list[int]
) -> None:
    stretched = numbered(recorded).stretched(wanted)
    np.testing.assert_array_equal(stretched.blocks, numbered(recorded).blocks[nearest])


def test_rows_name_the_stem_and_then_every_block() -> None:
    rows = numbered(2).rows()
    assert [name for name, _ in rows[:5]] == list(STEM)
    assert [name for name, _ in rows[5:11]] == [f"block 1, {name}" for name in BLOCK]
    assert [share for _, share in rows] == [0, 0.1, 0.2, 0.3, 0.4, *range(12)]
    assert rows[-1] == ("block 2, fc2", 11.0)


def test_shares_of_another_number_than_names_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        Densities(np.zeros(4), np.zeros((1, 6))).rows()


@pytest.mark.parametrize("config", [LIFConfig(), LIFConfig(tau=1.5, threshold=0.7)])
def test_a_neuron_at_rest_fires_from_its_first_threshold_on(config: LIFConfig) -> None:
    neuron = LIF(config, 1)
    at = first_threshold(neuron)
    assert at == pytest.approx(config.tau * config.threshold)
    assert neuron(torch.tensor([[at + 1e-4, at - 1e-4]])).tolist() == [[1, 0]]


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_rate_is_not_zero_from_its_first_threshold_on(steps: int) -> None:
    """The membrane gathers over T: the more timesteps, the smaller a current fires at all."""
    neuron = Rate(LIFConfig(), steps)
    at = first_threshold(neuron)
    rates = neuron(torch.tensor([at + 1e-4, at - 1e-4]))
    assert rates.tolist() == [1 / steps, 0]
    assert at == pytest.approx(1 / (1 - 0.5**steps))


def test_a_quantile_is_the_value_below_which_the_share_lies() -> None:
    values = torch.arange(101.0)[torch.randperm(101)]
    assert densities._quantile(values, 0.25) == 25
    assert densities._quantile(values.requires_grad_(), 1.0) == 100


@pytest.mark.parametrize("share", [0.1, 0.25, 0.8])
def test_a_shift_lets_the_share_of_currents_reach_the_threshold(share: float) -> None:
    bn, neuron = nn.BatchNorm1d(3), LIF(LIFConfig(), 1)
    before = bn.bias.detach().clone()
    current = torch.randn(1, 200, 3, generator=torch.Generator().manual_seed(0))
    shifted = densities._Shift(bn, share)(neuron, current)
    assert float((shifted >= 2).double().mean()) == pytest.approx(share, abs=0.01)
    moved = (bn.bias - before)[:, None].expand(3, 200).T[None]
    torch.testing.assert_close(current + moved.detach(), shifted)


def test_a_shift_before_a_pool_is_of_what_the_pool_lets_through() -> None:
    """Of maxima more reach a threshold than of what they are taken of."""
    current = torch.randn(1, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shift = densities._Shift(nn.BatchNorm2d(3), 0.2, pool)
    fires = (shift(LIF(LIFConfig(), 1), current) >= 2).float()
    assert float(pool(fires).mean()) == pytest.approx(0.2, abs=0.01)
    assert float(fires.mean()) < 0.1


def test_only_the_first_timestep_is_looked_at() -> None:
    shares = np.zeros(1)
    layer = nn.Identity()
    hooks = [densities._on_output(layer, shares, 0)]
    spikes = torch.tensor([[1.0, 0, 0, 0], [1, 1, 1, 1]])
    layer(spikes)
    assert shares[0] == 0.25
    hooks[0].remove()
    layer(1 - spikes)
    assert shares[0] == 0.25


def test_a_share_of_a_third_of_the_width_is_of_that_third() -> None:
    shares, layer = np.zeros(2), nn.Identity()
    densities._on_output(layer, shares, 0, 0)
    densities._on_output(layer, shares, 1, 1)
    layer(torch.tensor([[[1.0, 1, 1, 0, 0, 0]]]))
    assert shares.tolist() == [1.0, 0.5]


class Live(nn.Module):
    """A neuron that absent tokens reach as zeros."""

    def forward(self, x: torch.Tensor, live: torch.Tensor | None) -> torch.Tensor:
        return x if live is None else x * live[..., None]


def test_absent_tokens_do_not_thin_out_a_share() -> None:
    shares, neuron = np.zeros(1), Live()
    densities._on_output(neuron, shares, 0)
    spikes, live = torch.tensor([[[1.0, 0], [1, 1]]]), torch.tensor([[1.0, 0]])
    neuron(spikes, live)
    assert shares[0] == 0.5
    neuron(spikes, None)
    assert shares[0] == 0.75
    neuron(spikes, 0 * live)
    assert shares[0] == 0


def test_any_value_that_is_not_zero_counts_at_a_convolutions_input() -> None:
    shares, conv = np.zeros(3), nn.Conv2d(1, 1, 1)
    densities._on_input(conv, shares, 1)
    conv(torch.tensor([[[[0.0, 0.25], [-1, 0]]]]))
    assert shares.tolist() == [0, 0.5, 0]


@pytest.mark.parametrize("kind", ["sps", "isps"])
def test_imposed_densities_are_then_measured(kind: str) -> None:
    network = random_network(spikformer(kind))
    images = images_of(network, 32)
    wanted = Densities(
        np.array([0.3, 0.25, 0.4, 0.35, 0.2]),
        np.tile([0.2, 0.15, 0.3, 0.25, 0.2, 0.1], (len(network.blocks), 1)),
    )
    impose_densities(network, wanted, images)
    found = measure_densities(network, images)
    np.testing.assert_allclose(found.stem, wanted.stem, atol=0.03)
    ours = [BLOCK.index(name) for name in BLOCK if name != "attention"]
    np.testing.assert_allclose(found.blocks[:, ours], wanted.blocks[:, ours], atol=0.03)
    # Sums of products of spikes are few numbers: between two of them there is no share.
    assert (found.blocks[:, BLOCK.index("attention")] > 0).all()


def test_no_hook_stays_behind() -> None:
    network = random_network(spikformer("isps"))
    images = images_of(network, 1)
    measure_densities(network, images)
    with pytest.raises(RuntimeError, match="no run"):
        densities._run(failing(), images, [network.register_forward_hook(lambda *_: None)])
    modules: list[Any] = list(network.modules())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in modules)


def failing() -> Any:
    def run(images: torch.Tensor) -> None:
        raise RuntimeError("no run")

    return run


def spikformer(kind: str) -> ModelConfig:
    return tiny_model(arch="spikformer", stem=kind)


def images_of(network: SpikingTransformer, count: int) -> torch.Tensor:
    images = random_images(network.config, count)
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def test_values_are_raised_until_attention_fires_as_wanted() -> None:
    """One head, one token: attention of a token with itself is v where q meets k."""
    attention = SimpleNamespace(heads=1, scale=1.0, attn_lif=LIF(LIFConfig(), 1, 0.5))
    shift = densities._AttentionShift(attention, np.array([1.0, 1.0, 0.3]))
    ones = torch.ones(1000, 1, 1)
    v = torch.randn(1000, 1, 1, generator=torch.Generator().manual_seed(0))
    raised = shift._of_values(ones, ones, v, 2.0)
    assert float((v + raised >= 2).float().mean()) == pytest.approx(0.3, abs=0.005)
