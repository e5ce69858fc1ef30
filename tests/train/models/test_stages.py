from __future__ import annotations

import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.samples import dyadic_network, random_images, tiny_model
from train.config import ModelConfig, StemConfig


def staged(form: str, **changes: object) -> ModelConfig:
    stem = StemConfig("sps", form=form)  # type: ignore[arg-type]
    config = tiny_model(arch="spikingformer", stem="sps", halting="block_time")
    values = {"arch": "maxformer", "stem": stem, "image_size": (32, 32), **changes}
    return ModelConfig(**{**vars(config), **values})


@pytest.mark.parametrize(("form", "grid"), [("imagenet", (2, 3)), ("cifar", (8, 10)),
                                            ("events", (2, 3))])  # fmt: skip
def test_tokens_are_as_many_as_the_grid_has_places(form: str, grid: tuple[int, int]) -> None:
    config = staged(form, image_size=(30, 40))
    assert config.grid == grid
    tokens = dyadic_network(config).stem(torch.rand(1, 2, 1, 30, 40))
    assert tokens.shape == (config.timesteps, 2, grid[0] * grid[1], config.dim)


def test_tokens_halt_in_the_last_stage_and_gradients_reach_the_first() -> None:
    network = dyadic_network(staged("cifar")).train()
    output = network(random_images(network.config, 3))
    assert any(0 < float(live.mean()) < 1 for live in output.live)
    output.logits.square().sum().backward()
    gradient = network.stem.convs[0].conv.weight.grad
    assert gradient is not None and gradient.abs().sum() > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stem": StemConfig("isps")}, "has stages of its own in the stem's place"),
        ({"stem": StemConfig("sps", form="events"), "dim": 24}, "must be a multiple of 16"),
    ],
)
def test_what_stages_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        staged("cifar", **changes)


def test_an_mlp_of_the_tokens_width_adds_its_first_layer() -> None:
    """Max-Former's and the Spike-driven Transformer's code; Spikingformer's has no such rule."""
    for arch, adds in (("maxformer", True), ("sdt", True), ("spikingformer", False)):
        config = staged("cifar", arch=arch, mlp_ratio=1.0)
        assert dyadic_network(config).blocks[0].mlp.adds == adds
