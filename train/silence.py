"""A penalty on the cost of spikes: training for silence.

The penalty is the share of all operations that an image causes,

    penalty = sum over layers, timesteps of fan-out * c(input) / sum of fan-out * elements

as a function that gradients flow through, by the neurons' surrogates. Inputs are spikes, their sums
or rates, and so not negative. Two things can be counted:

    spikes  c(x) = x         accumulates of hardware that adds a weight for every spike: STAS
                             appendix A, eq. 12
    values  c(x) = [x > 0]   products of a processor that skips zeros (plugins/spike_linear): a rate
                             or a sum costs what a spike does, and what is the same at all timesteps
                             is computed once

The gradient of the latter is that of x / x', with x' = x without gradient where x > 0, else 1: the
reweighted l1 norm of Candes, Wakin and Boyd (2008), which presses small values most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from train.config import SilenceOf
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


def silence_loss(heard: Sequence[Heard], of: SilenceOf = "spikes") -> Tensor:
    """Share of the operations that are caused, [].

    Args:
        heard: of every layer that accumulates.
        of: what is counted.
    """
    if of == "values":
        heard = [each._replace(inputs=_not_zero(each.inputs), repeats=1) for each in heard]
    caused = torch.stack([each.inputs.float().sum() * _weight(each) for each in heard]).sum()
    return caused / sum(each.inputs.numel() * _weight(each) for each in heard)


def _weight(each: Heard) -> float:
    return each.fan_out * each.repeats


def _not_zero(inputs: Tensor) -> Tensor:
    """1 where something fired, else 0."""
    values = inputs.float()
    return values / torch.where(values > 0, values.detach(), 1.0)


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
