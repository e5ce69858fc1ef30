"""The network that a configuration names."""

from __future__ import annotations

from train.baselines.dropping import DroppingTransformer
from train.config import ModelConfig
from train.models.network import SpikingTransformer


def build_network(config: ModelConfig) -> SpikingTransformer:
    """A fresh network: one that drops tokens where `config.drop` says so, else one that halts."""
    kind = SpikingTransformer if config.drop.kind == "none" else DroppingTransformer
    return kind(config)
