from __future__ import annotations

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
