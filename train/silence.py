"""A penalty on the cost of spikes: training for silence.

A spike that enters a layer causes one accumulate for every weight it meets, and kernels that skip
zeros take time in proportion (plugins/spike_linear). The penalty is the share of all accumulates
that an image causes,

    penalty = sum over layers, timesteps of fan-out * input / sum of fan-out * elements

so that a spike counts by its accumulates: STAS appendix A, eq. 12, as a function that gradients
flow through, by the neurons' surrogates. Inputs are spikes, their sums or rates, and so not
negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from train.models.layers import ConvBN, LinearBN
from train.models.network import SpikingTransformer


class Heard(NamedTuple):
    """The input that a layer took.

    Attributes:
        inputs: [T, ...], or [1, ...] where all timesteps have the same; zero for absent tokens.
        fan_out: weights that an input meets.
        repeats: timesteps that each entry of the first axis stands for.
    """

    inputs: Tensor
    fan_out: float
    repeats: int


def silence_loss(heard: Sequence[Heard]) -> Tensor:
    """Share of the accumulates that spikes cause, [].

    Args:
        heard: of every layer that accumulates.
    """
    caused = torch.stack([each.inputs.float().sum() * _weight(each) for each in heard]).sum()
    return caused / sum(each.inputs.numel() * _weight(each) for each in heard)


def _weight(each: Heard) -> float:
    return each.fan_out * each.repeats


@contextmanager
def listening(network: SpikingTransformer, *, wanted: bool) -> Iterator[list[Heard]]:
    """A list that collects the layers' inputs while the network runs; empty unless `wanted`.

    The first convolution multiplies pixels or events and is left out.
    """
    heard: list[Heard] = []
    layers = [each for each in network.modules() if isinstance(each, (ConvBN, LinearBN))]
    accumulating = [each for each in layers if each is not network.stem.convs[0]]
    hooks = [_listen(each, heard, network) for each in accumulating if wanted]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _listen(layer: nn.Module, heard: list[Heard], network: SpikingTransformer) -> Any:
    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        x, live = inputs[0], inputs[1] if len(inputs) > 1 else None
        x = x if live is None else x * live.unsqueeze(-1)
        repeats = network.config.timesteps if x.shape[0] == 1 else 1
        heard.append(Heard(x, _fan_out(module), repeats))

    return layer.register_forward_pre_hook(note)


def _fan_out(layer: nn.Module) -> float:
    """Weights that one input of a layer meets, borders of images left aside."""
    if isinstance(layer, ConvBN):
        conv = layer.conv
        steps = conv.stride[0] * conv.stride[0]
        return conv.kernel_size[0] * conv.kernel_size[0] * conv.out_channels / conv.groups / steps
    assert isinstance(layer, LinearBN)
    return int(layer.linear.weight.shape[0])
