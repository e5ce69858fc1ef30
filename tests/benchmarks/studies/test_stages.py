from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.studies import stages
from train.config import NAMED_MODELS
from train.models import SpikingTransformer


@pytest.mark.parametrize("name", [name for name, each in NAMED_MODELS.items() if each.stages])
def test_stages_multiply_what_their_convolutions_do(name: str) -> None:
    config, counted = NAMED_MODELS[name], []

    def count(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        counted.append(module.weight[0].numel() * output[0].numel())  # type: ignore[operator,union-attr,index]

    with torch.device("meta"):
        network = SpikingTransformer(config)
        for layer in network.stem.convs:
            layer.conv.register_forward_hook(count)
        x = torch.zeros(1, 1, config.channels, *config.image_size)
        network.stem(x)
    assert stages.stage_macs(config) == sum(counted)


def test_the_table_names_every_network_with_stages(capsys: pytest.CaptureFixture[str]) -> None:
    stages.main()
    assert "maxformer-10-768" in capsys.readouterr().out


WITH_STAGES = [name for name, each in NAMED_MODELS.items() if each.stages]


@pytest.mark.parametrize("name", WITH_STAGES)
def test_blocks_multiply_in_their_layers_and_in_attention(name: str) -> None:
    """Written out: q, k, v and the projection, two layers of the MLP, the cheaper order.

    And of E-SpikeFormer's width 512 one more layer.
    """
    config = NAMED_MODELS[name]
    layers = config.tokens * config.dim * (4 * config.dim + 2 * config.hidden)
    layers += config.tokens * config.dim**2 * (name == "espikeformer-12-512")
    order = min(config.tokens, config.dim // config.heads)
    attention = 2 * config.tokens * config.dim * order
    assert stages.block_macs(config) == config.depth * (layers + attention)


def test_blocks_cost_in_proportion_to_their_number() -> None:
    config = NAMED_MODELS["maxformer-10-768"]
    twice = replace(config, depth=2 * config.depth)
    assert stages.block_macs(twice) == 2 * stages.block_macs(config)
    assert stages.stage_macs(twice) == stages.stage_macs(config)


def test_a_network_without_stages_has_none_before_its_blocks() -> None:
    config = NAMED_MODELS["spikformer-4-384"]
    row = stages.row("plain", config)
    assert (row["stages"], row["share"], row["halved"]) == (0.0, 1.0, 0.5)
    assert row["blocks"] == stages.block_macs(config) / 1e6


@pytest.mark.parametrize("name", WITH_STAGES)
def test_half_of_the_tokens_save_half_of_the_last_stage(name: str) -> None:
    row = stages.row(name, NAMED_MODELS[name])
    whole = row["stages"] + row["blocks"]
    assert row["share"] == pytest.approx(row["blocks"] / whole)
    assert row["halved"] == pytest.approx((row["stages"] + row["blocks"] / 2) / whole)
    assert 0.5 < row["halved"] < 1
