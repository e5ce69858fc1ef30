"""Convolutional stages in the stem's place (`train/architectures/stages.py`)."""

from __future__ import annotations

from functools import cache
from typing import cast

from torch import Tensor, nn

from train.architectures.stages import StageConv, read_currents, sizes
from train.config import ModelConfig
from train.models.layers import ConvBN
from train.models.neurons import LIF
from train.models.stem import pool


class Stages(nn.Module):
    """Image [1, B, C, H, W] or frames [T, B, C, H, W] to tokens [T, B, K, D], currents."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.stages = config.stages
        self.sizes = sizes(config.stages, config.image_size)[1]
        self.read = read_currents(config.stages)
        self.convs = nn.ModuleList([self._conv(config, each) for each in self.stages])
        self.neurons = nn.ModuleList([LIF(config.lif, config.timesteps) for _ in self.read])

    def _conv(self, config: ModelConfig, conv: StageConv) -> ConvBN:
        entering = config.channels if conv.takes < 0 else self.stages[conv.takes].width
        groups = conv.width if conv.depthwise else 1
        return ConvBN(entering, conv.width, conv.kernel, conv.stride, groups)

    def neurons_behind(self, stage: int) -> int:
        """Membranes that read the current of convolution `stage`."""
        height, width = self.sizes[stage]
        return self.stages[stage].width * height * width * (stage in self.read)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised input to tokens."""
        currents: list[Tensor] = []

        @cache
        def spikes(index: int) -> Tensor:
            neuron = self.neurons[self.read.index(index)]
            return cast(Tensor, neuron(currents[index]))

        for layer, conv in zip(self.convs, self.stages, strict=True):
            # Currents stay float32 under autocast: they are added to each other.
            current = layer(x if conv.takes < 0 else spikes(conv.takes)).float()
            current = pool(current) if conv.pool else current
            currents.append(current if conv.adds < 0 else current + currents[conv.adds])
        return currents[-1].flatten(3).transpose(2, 3)
