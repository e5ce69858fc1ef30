"""Firing rates, measured on real images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from train.data.base import ImageSource, a_few
from train.models.network import SpikingTransformer
from train.models.neurons import LIF, Integer
from train.parallel.devices import exact_float32

Sums = dict[str, tuple[Tensor, Tensor]]  # by module name: of values, and how many there were


@torch.no_grad()
@exact_float32()
def measure_firing_rates(
    network: SpikingTransformer, split: ImageSource, *, images: int = 512, batch_size: int = 64
) -> dict[str, float]:
    """`firing_rates` of some images.

    Args:
        network: put into evaluation mode for the measurement.
        split: images to measure on.
        images: how many of them, spread over all classes.
        batch_size: images per pass.
    """
    was_training = network.training
    network.eval()
    try:
        with firing_rates(network) as rates:
            for batch in split.batches(a_few(split, images).split(batch_size)):
                network(batch.images)
    finally:
        network.train(was_training)
    return rates


@contextmanager
def firing_rates(network: SpikingTransformer) -> Iterator[dict[str, float]]:
    """Mean input value per element of every convolution and linear layer, over live tokens.

    Gives:
        By module name, filled when the context ends, of all passes inside it. Spikes are 0 or 1, so
        this is the firing rate; tokens count their sum, integers 0..D the spikes that they stand
        for. The neurons of q, k and v are there with their mean output, gates of stages with their
        input.
    """
    sums: Sums = {}
    rates: dict[str, float] = {}
    hooks = [
        module.register_forward_hook(collector(name, sums))
        for name, module in network.named_modules()
        if (collector := _collector_of(name, module)) is not None
    ]
    try:
        yield rates
    finally:
        for hook in hooks:
            hook.remove()
    config = network.config
    spikes = config.lif.levels if config.architecture.integer else 1
    for name, (total, count) in sums.items():
        rates[name] = spikes * float(total) / max(float(count), 1)


def _collector_of(name: str, module: nn.Module) -> Callable[[str, Sums], Any] | None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return _inputs
    if isinstance(module, (LIF, Integer)) and name.endswith("qkv_lif"):
        return _outputs
    if isinstance(module, LIF) and name.startswith("stem.gates."):
        return _inputs
    return None


def _inputs(name: str, sums: Sums) -> Any:
    def collect(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        _add(sums, name, inputs[0].abs(), torch.tensor(inputs[0].numel()))

    return collect


def _outputs(name: str, sums: Sums) -> Any:
    def collect(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        live = inputs[1] if len(inputs) > 1 else None
        present = torch.tensor(output[..., 0].numel()) if live is None else live.sum()
        _add(sums, name, output, present * output.shape[-1])

    return collect


def _add(sums: Sums, name: str, values: Tensor, count: Tensor) -> None:
    """Add up on the values' device, which nobody waits for."""
    total = values.double().sum()
    before = sums.get(name)
    sums[name] = (total, count) if before is None else (before[0] + total, before[1] + count)


@torch.no_grad()
@exact_float32()
def rates_over_time(
    network: SpikingTransformer, split: ImageSource, *, images: int = 512, batch_size: int = 64
) -> dict[str, list[float]]:
    """Share of firing neurons of every LIF layer at each timestep 1..T, absent tokens included.

    Args:
        network: put into evaluation mode for the measurement.
        split: images to measure on; the first `images` are used.
        images: how many.
        batch_size: images per pass.

    Returns:
        T values by module name. I-SPS has no layer here: its neurons fire on a current that does
        not change.
    """
    sums: dict[str, Tensor] = {}

    def collector(name: str) -> Any:
        def collect(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            rates = output.flatten(1).double().mean(1).cpu() * output.shape[1]
            sums[name] = sums.get(name, torch.zeros_like(rates)) + rates

        return collect

    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, LIF)]
    hooks = [module.register_forward_hook(collector(name)) for name, module in layers]
    was_training = network.training
    network.eval()
    count = min(images, len(split))
    try:
        for batch in split.batches(torch.arange(count).split(batch_size)):
            network(batch.images)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(was_training)
    return {name: (total / count).tolist() for name, total in sums.items()}
