"""Spike patch splitting: image or frames to tokens, iterated (SPS) or once (I-SPS).

Four conv stages of widths D/8, D/4, D/2, D, each conv + BN + neuron and, where configured, a
max-pool; then a fifth convolution, whose form is the architecture's:

    spikformer      x + neuron(conv(x))       spikes and a position embedding of spikes
    spikingformer   conv(x)                   membrane currents
    sdt             c + conv(neuron(c))       membrane currents c of the fourth stage
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from train.config import ModelConfig
from train.models.layers import ConvBN
from train.models.neurons import LIF, Rate


def pool(x: Tensor) -> Tensor:
    """Max-pool (3, stride 2, padding 1) over [T, B, C, H, W]."""
    return cast(Tensor, max_pool2d(x.flatten(0, 1), 3, 2, 1).unflatten(0, x.shape[:2]))


class Stem(nn.Module):
    """Image [1, B, C, H, W] or frames [T, B, C, H, W] to tokens [1 or T, B, K, D].

    With I-SPS every convolution runs once and the tokens keep a time axis of length 1.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels] + [config.dim // ratio for ratio in (8, 4, 2, 1, 1)]
        self.convs = nn.ModuleList([ConvBN(a, b) for a, b in pairwise(widths)])
        # Spikingformer's fifth convolution yields currents: no neuron follows it.
        count = 4 if config.arch == "spikingformer" else 5
        if config.arch == "sdt":
            count = 4
        self.neurons = nn.ModuleList([self._neuron() for _ in range(count)])

    def _neuron(self) -> nn.Module:
        kind = Rate if self.config.stem.kind == "isps" else LIF
        return kind(self.config.lif, self.config.timesteps)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised input to tokens."""
        for stage in range(3):
            x = self._stage(x, stage)
        return self._last(x).flatten(3).transpose(2, 3)  # [T, B, K, D]

    def _stage(self, x: Tensor, stage: int) -> Tensor:
        """Convolution + BN + neuron, pooled where configured."""
        pools = self.config.stem.pool[stage]
        x = self.convs[stage](x)
        if pools and self.config.stem.pool_position == "before_lif":
            return self.neurons[stage](pool(x))  # type: ignore[no-any-return]
        x = self.neurons[stage](x)
        return pool(x) if pools else x

    def _last(self, x: Tensor) -> Tensor:
        """Fourth stage and fifth convolution, [T, B, C, H, W]."""
        if self.config.arch == "sdt":
            current = self.convs[3](x)
            current = pool(current) if self.config.stem.pool[3] else current
            # Membrane currents stay float32 under autocast: blocks add to them.
            return current.float() + self.convs[4](self.neurons[3](current))  # type: ignore[no-any-return]
        x = self._stage(x, 3)
        current = self.convs[4](x)
        if self.config.arch == "spikingformer":
            return current.float()  # type: ignore[no-any-return]
        return x + self.neurons[4](current)  # type: ignore[no-any-return]
