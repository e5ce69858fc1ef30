"""Spikes of every neuron in PyTorch, by hooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from export.comparison.spiking import Values, by_image
from export.graph.observers.spike_names import PREFIX
from train.models import SpikingTransformer
from train.models.neurons import LIF, Integer


def neurons_of(network: SpikingTransformer) -> dict[str, LIF | Integer]:
    """Every layer of neurons by the exporter's name, such as "block2.qkv_lif" or "stem.lif1"."""
    found = {
        f"stem.lif{number}": neuron
        for number, neuron in enumerate(network.stem.neurons, 1)
        if isinstance(neuron, (LIF, Integer))
    }
    gates = getattr(network.stem, "gates", ())
    found |= {f"stem.gate{number}": neuron for number, neuron in enumerate(gates, 1)}
    for number, block in enumerate(network.blocks, 1):
        for part in (block, block.attention, block.mlp):
            assert isinstance(part, nn.Module)
            for name, module in part.named_children():
                if isinstance(module, (LIF, Integer)):
                    found[f"block{number}.{name}"] = module
    return found


@contextmanager
def recorded_spikes(network: SpikingTransformer) -> Iterator[Values]:
    """Yields a dictionary that a forward pass fills: `spike.NEURON` uint8 [B, T, N]."""
    spikes: Values = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            spikes[PREFIX + name] = by_image((output.detach() > 0).transpose(0, 1).numpy())

        return hook

    hooks = [m.register_forward_hook(keep(n)) for n, m in neurons_of(network).items()]
    try:
        yield spikes
    finally:
        for each in hooks:
            each.remove()
