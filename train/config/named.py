"""The papers' model names, `<arch>-<depth>-<dim>`, and what they mean."""

from __future__ import annotations

import difflib
from typing import Any

from spikehalt.errors import ConfigError
from spikehalt.vocabulary import Arch
from train.config.model import ModelConfig, StemConfig

_IMAGENET: dict[str, Any] = {
    "image_size": (224, 224),
    "classes": 1000,
    "stem": StemConfig(kind="sps", pool=(True, True, True, True)),
    "pixel_mean": (0.485, 0.456, 0.406),
    "pixel_std": (0.229, 0.224, 0.225),
}
_CIFAR: dict[str, Any] = {
    "stem": StemConfig(kind="sps"),
    "pixel_mean": (0.4914, 0.4822, 0.4465),
    "pixel_std": (0.2470, 0.2435, 0.2616),
}
# Stages before the last are in the form; depth is of the last.
_MAXFORMER_IMAGENET = {
    **_IMAGENET, "stem": StemConfig(kind="sps", form="imagenet"), "arch": "maxformer", "depth": 7,
    "head_lif": True,
}  # fmt: skip
_MAXFORMER_CIFAR = {
    **_CIFAR, "stem": StemConfig(kind="sps", form="cifar"), "arch": "maxformer", "depth": 2,
    "dim": 384, "heads": 8, "head_lif": True,
}  # fmt: skip
_MAXFORMER_EVENTS: dict[str, Any] = {
    "stem": StemConfig(kind="sps", form="events"), "arch": "maxformer", "depth": 1, "dim": 256,
    "heads": 16, "mlp_ratio": 1.0, "head_lif": True, "input": "frames", "channels": 2,
    "image_size": (128, 128), "timesteps": 16,
}  # fmt: skip
_QKFORMER_IMAGENET = {**_MAXFORMER_IMAGENET, "arch": "qkformer", "head_lif": False}
_QKFORMER_CIFAR = {**_MAXFORMER_CIFAR, "arch": "qkformer", "head_lif": False}
_QKFORMER_EVENTS = {**_MAXFORMER_EVENTS, "arch": "qkformer", "head_lif": False}
_ESPIKEFORMER = {
    **_IMAGENET, "stem": StemConfig(kind="sps", form="imagenet"), "arch": "espikeformer",
    "depth": 12, "heads": 8, "timesteps": 1, "head_lif": True, "head_readout": True,
}  # fmt: skip

# (architecture, depth, dim, heads) of the papers' tables, for CIFAR and for ImageNet.
_CIFAR_SIZES: tuple[tuple[Arch, int, int, int], ...] = (
    ("spikformer", 4, 256, 8),
    ("spikformer", 2, 384, 12),
    ("spikformer", 4, 384, 12),
    ("spikingformer", 4, 256, 8),
    ("spikingformer", 2, 384, 12),
    ("spikingformer", 4, 384, 12),
    ("sdt", 2, 256, 8),
    ("sdt", 2, 512, 8),
)
_IMAGENET_SIZES: tuple[tuple[Arch, int, int, int], ...] = (
    ("spikformer", 8, 384, 12),
    ("spikformer", 6, 512, 8),
    ("spikformer", 8, 512, 8),
    ("spikformer", 10, 512, 8),
    ("spikformer", 8, 768, 12),
    ("spikingformer", 8, 384, 12),
    ("spikingformer", 8, 512, 8),
    ("spikingformer", 8, 768, 8),
    ("sdt", 8, 384, 8),
    ("sdt", 6, 512, 8),
    ("sdt", 8, 512, 8),
    ("sdt", 10, 512, 8),
    ("sdt", 8, 768, 8),
)


def _named(
    common: dict[str, Any], sizes: tuple[tuple[Arch, int, int, int], ...]
) -> dict[str, ModelConfig]:
    return {
        f"{arch}-{depth}-{dim}": ModelConfig(**common, arch=arch, depth=depth, dim=dim, heads=heads)
        for arch, depth, dim, heads in sizes
    }


def _staged(
    cifar: dict[str, Any], events: dict[str, Any], imagenet: dict[str, Any]
) -> dict[str, ModelConfig]:
    models = [ModelConfig(**cifar), ModelConfig(**events)]
    for dim in (384, 512, 768):
        models.append(ModelConfig(**imagenet, dim=dim, heads=dim // 64))
    return {model.name: model for model in models}


NAMED_MODELS: dict[str, ModelConfig] = {
    **_named(_CIFAR, _CIFAR_SIZES),
    **_named(_IMAGENET, _IMAGENET_SIZES),
    **_staged(_MAXFORMER_CIFAR, _MAXFORMER_EVENTS, _MAXFORMER_IMAGENET),
    **_staged(_QKFORMER_CIFAR, _QKFORMER_EVENTS, _QKFORMER_IMAGENET),
    "espikeformer-12-512": ModelConfig(**_ESPIKEFORMER, dim=512, linear_first=True),
    "espikeformer-12-768": ModelConfig(**_ESPIKEFORMER, dim=768),
}


def named_model(name: str) -> ModelConfig:
    """The configuration of a paper's model.

    Raises:
        ConfigError: no such name; the nearest one and the list are given.
    """
    if name in NAMED_MODELS:
        return NAMED_MODELS[name]
    near = difflib.get_close_matches(name, NAMED_MODELS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"no model is called {name!r}.{hint} Known: {', '.join(NAMED_MODELS)}")
