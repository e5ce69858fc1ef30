"""Spike patch splitting: image or frames to tokens, iterated (SPS) or once (I-SPS).

Four conv stages of widths D/8, D/4, D/2, D, each conv + BN + neuron and, where configured, a
max-pool; then a fifth convolution. The tokens are spikes or membrane currents, as the architecture
says (`Architecture.kept_currents`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from train.architectures.base import FIFTH, FOURTH
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
        self._kept = config.architecture.kept_currents
        self._adds = config.architecture.adds_position
        widths = [config.channels] + [config.dim // ratio for ratio in (8, 4, 2, 1, 1)]
        self.convs = nn.ModuleList([ConvBN(a, b) for a, b in pairwise(widths)])
        neurons = config.architecture.stem_neurons
        self.neurons = nn.ModuleList([self._neuron() for _ in range(neurons)])

    def _neuron(self) -> nn.Module:
        kind = Rate if self.config.stem.kind == "isps" else LIF
        return kind(self.config.lif, self.config.timesteps)

    def neurons_behind(self, stage: int) -> int:
        """Membranes behind convolution `stage`, at its size."""
        height, width = self.config.resolution(stage)
        channels = cast(ConvBN, self.convs[stage]).conv.out_channels
        return channels * height * width * (stage < len(self.neurons))

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
        embedded, x = self._fourth(x)
        current = self.convs[FIFTH](x)
        # Membrane currents stay float32 under autocast: blocks add to them.
        last = current.float() if FIFTH in self._kept else self.neurons[FIFTH](current)
        return embedded + last if self._adds else last  # type: ignore[no-any-return]

    def _fourth(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the fifth convolution's result is added to, and what the convolution takes."""
        if FOURTH not in self._kept:
            x = self._stage(x, FOURTH)
            return x, x
        current = self.convs[FOURTH](x)
        current = pool(current) if self.config.stem.pool[FOURTH] else current
        return current.float(), self.neurons[FOURTH](current)
