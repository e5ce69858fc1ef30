from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.train.samples import PATCH_SPLITTING, dyadic_network, random_images, tiny_model
from train.config import ModelConfig, StemConfig
from train.models.stem import Stem


def image_sequence(config: ModelConfig, count: int = 2) -> Tensor:
    return random_images(config, count).float().unsqueeze(0) / 64 - 2


@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_isps_runs_once_and_sps_at_every_timestep(arch: str) -> None:
    for kind, times in (("isps", 1), ("sps", 3)):
        config = tiny_model(arch=arch, stem=kind)
        tokens = Stem(config)(image_sequence(config))
        assert tokens.shape == (times, 2, config.tokens, config.dim)


def test_isps_tokens_of_spikformer_are_multiples_of_one_over_t() -> None:
    config = tiny_model(timesteps=4)
    with torch.no_grad():
        tokens = dyadic_network(config).stem(image_sequence(config))
    assert torch.equal(tokens * 4, (tokens * 4).round()) and len(tokens.unique()) > 4


def test_isps_equals_iterating_the_neuron_and_averaging() -> None:
    """Each stage's rate is the mean over time of the SPS neuron on the same constant current."""
    config = tiny_model(timesteps=4)
    isps = dyadic_network(config).stem
    sps = Stem(replace(config, stem=replace(config.stem, kind="sps"))).eval()
    sps.load_state_dict(isps.state_dict())
    x = image_sequence(config)
    with torch.no_grad():
        for stage in range(3):
            ours = isps._stage(x, stage)
            theirs = sps._stage(x, stage).mean(0, keepdim=True)
            assert torch.equal(ours, theirs)
            x = ours


@pytest.mark.parametrize("position", ["before_lif", "after_lif"])
def test_with_isps_pooling_currents_or_rates_is_the_same(position: str) -> None:
    config = tiny_model(timesteps=4)
    other = replace(config.stem, pool_position=position)
    ours = dyadic_network(config)
    theirs = dyadic_network(replace(config, stem=other))
    with torch.no_grad():
        x = image_sequence(config)
        assert torch.equal(ours.stem(x), theirs.stem(x))


def test_each_stage_pools_as_configured() -> None:
    config = replace(
        tiny_model(image_size=(9, 12)), stem=StemConfig(pool=(True, False, True, False))
    )
    assert Stem(config)(image_sequence(config)).shape[2] == 3 * 3 == config.tokens


@pytest.mark.parametrize("arch", ["spikingformer", "sdt"])
def test_membrane_tokens_stay_in_full_precision_under_autocast(arch: str) -> None:
    config = tiny_model(arch=arch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Stem(config)(image_sequence(config)).dtype == torch.float32
