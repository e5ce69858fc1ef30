from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.train.samples import lively_network, random_images, tiny_model
from train.config import ModelConfig
from train.measure.lifetimes import fates, patches_alive
from train.models.network import ModelOutput


def output_of(config: ModelConfig) -> ModelOutput:
    with torch.no_grad():
        return lively_network(config, seed=1)(random_images(config, 3))


def test_without_merging_a_patch_lives_as_long_as_its_token() -> None:
    config = tiny_model(halting="block_time")
    output = output_of(config)
    assert torch.equal(patches_alive(output, config), torch.stack(output.live))


@pytest.mark.parametrize("merging", [{"merge_gamma": 5}, {"merge_threshold": 0.8}])
@pytest.mark.parametrize("mode", ["none", "block_time"])
def test_every_live_token_holds_a_patch_and_no_patch_comes_back(
    mode: str, merging: dict[str, Any]
) -> None:
    config = tiny_model(halting=mode, **merging)
    output = output_of(config)
    alive = patches_alive(output, config)
    assert alive.shape == (config.depth, config.timesteps, 3, config.tokens)
    assert (alive[1:] <= alive[:-1]).all()
    for patches, tokens in zip(alive, output.live, strict=True):
        assert (patches.sum(-1) >= tokens.sum(-1)).all()
    if mode == "none":  # merging alone loses no patch
        assert alive.all()


@pytest.mark.parametrize("merging", [{}, {"merge_gamma": 5}, {"merge_threshold": 0.8}])
@pytest.mark.parametrize("mode", ["none", "block_time"])
def test_tokens_live_halted_and_merged_add_up(mode: str, merging: dict[str, Any]) -> None:
    config = tiny_model(halting=mode, **merging)
    output = output_of(config)
    found = fates(output, config)
    total = found.live + found.halted + found.merged
    torch.testing.assert_close(total, torch.full_like(total, config.tokens))
    live = torch.stack([tokens.sum(-1).mean(1) for tokens in output.live], -1).double()
    torch.testing.assert_close(found.live, live)
    assert (found.halted >= -1e-6).all() and (found.merged >= 0).all()
    assert (found.merged[:, -1] > 0).all() == bool(merging)
    if mode == "none":
        torch.testing.assert_close(found.halted, torch.zeros_like(found.halted))
    else:
        assert found.halted[-1, -1] > 0
