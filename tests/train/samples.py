"""Small models and inputs that the tests of train share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikehalt.strict import build
from train.architectures import ARCHITECTURES
from train.baselines.build import build_network
from train.config import HaltingConfig, ModelConfig, StemConfig, TrainConfig
from train.models import SpikingTransformer
from train.recipes import merge

# Architectures whose stem is spike patch splitting, which I-SPS knows too.
PATCH_SPLITTING = [name for name, each in ARCHITECTURES.items() if not each.forms]


def tiny_model(**changes: Any) -> ModelConfig:
    """Three blocks of width 32 on 8 x 8 grey images: 16 tokens, T 3."""
    halting = changes.pop("halting", "none")
    stem = changes.pop("stem", "isps")
    config = ModelConfig(
        depth=3,
        dim=32,
        heads=2,
        mlp_ratio=2.0,
        timesteps=3,
        image_size=(8, 8),
        channels=1,
        stem=StemConfig(kind=stem, pool=(False, False, False, True)),
        halting=HaltingConfig(mode=halting, alpha=1.0, beta=-2.5, epsilon=0.05),
    )
    return replace(config, **changes)


def lively_network(config: ModelConfig, seed: int = 0) -> SpikingTransformer:
    """A network whose neurons fire: weights and normalisation far from their initial values."""
    generator = torch.Generator().manual_seed(seed)
    network = build_network(config)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "bn" in name and name.endswith(("weight", "running_var")):
                value.uniform_(0.5, 1.5, generator=generator)
            elif "bn" in name and name.endswith(("bias", "running_mean")):
                value.uniform_(-0.2, 1.5 if name.endswith("bias") else 0.2, generator=generator)
            elif name.endswith("weight"):
                fan_in = value[0].numel()
                value.normal_(0, 3 / fan_in**0.5, generator=generator)
    return network.eval()


def dyadic_network(config: ModelConfig, seed: int = 0) -> SpikingTransformer:
    """Weights that are multiples of 2^-6: every sum is exact in float32, whatever its order."""
    generator = torch.Generator().manual_seed(seed)
    network = build_network(replace(config, pixel_mean=(0.5,), pixel_std=(128 / 255,)))
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.fill_(1 - 1e-5)  # so that BatchNorm divides by exactly 1
            elif name.endswith("running_mean"):
                value.zero_()
            elif "bn.bias" in name:
                value.uniform_(0, 1.5, generator=generator)
            elif "bn.weight" in name:
                value.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith("weight"):
                value.normal_(0, 3 / value[0].numel() ** 0.5, generator=generator)
            if not name.endswith(("running_var", "tracked")):
                value.mul_(64).round_().div_(64)
    return network.eval()


def random_images(config: ModelConfig, count: int, seed: int = 0) -> Tensor:
    """uint8 images or float event frames that fit the model."""
    generator = torch.Generator().manual_seed(seed)
    if config.input == "frames":
        shape = (count, config.timesteps, config.channels, *config.image_size)
        return torch.randint(0, 4, shape, generator=generator).float()
    shape = (count, config.channels, *config.image_size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def quick_run(out: Path, **changes: Any) -> TrainConfig:
    """Digits, two blocks of width 16, an epoch of each phase: about a second of training."""
    plain: dict[str, Any] = {
        "model": {
            "depth": 2,
            "dim": 16,
            "heads": 2,
            "mlp_ratio": 2.0,
            "timesteps": 2,
            "image_size": [8, 8],
            "channels": 1,
            "stem": {"pool": [False, False, True, True]},
            "halting": {"mode": "block_time", "alpha": 5.0, "beta": -3.0},
        },
        "data": {"name": "digits", "validation_fraction": 0.1},
        "static": {"epochs": 1, "learning_rate": 3e-3},
        "halting": {"epochs": 1, "learning_rate": 3e-3, "ponder_weight": 0.01},
        "batch_size": 64,
        "precision": "fp32",
        "accelerator": "cpu",
        "out": str(out),
    }
    return build(TrainConfig, merge(plain, changes))


def same_tensors(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two state dicts are bit for bit the same."""
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Save uint8 [H, W] or [H, W, 3] as PNG."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
