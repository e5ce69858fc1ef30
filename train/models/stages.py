"""Convolutional stages in the stem's place (`train/architectures/stages.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import cast

from torch import Tensor, nn

from train.architectures.stages import StageConv, gates, read_currents, sizes
from train.config import ModelConfig
from train.models.layers import ConvBN
from train.models.neurons import firing
from train.models.stem import pool


class Stages(nn.Module):
    """Image [1, B, C, H, W] or frames [T, B, C, H, W] to tokens [T, B, K, D]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.stages, self.heads = config.stages, config.heads
        self.lif_first = config.architecture.lif_first
        self.sizes = sizes(config.stages, config.image_size)[1]
        # Convolutions whose current a neuron reads.
        self.read = read_currents(self.stages) if self.lif_first else list(range(len(self.stages)))
        self.gated = gates(self.stages)
        self.convs = nn.ModuleList([self._conv(config, each) for each in self.stages])
        self.neurons = nn.ModuleList([firing(config) for _ in self.read])
        threshold = config.lif.attention_threshold
        self.gates = nn.ModuleList([firing(config, threshold) for _ in self.gated])

    def _conv(self, config: ModelConfig, conv: StageConv) -> ConvBN:
        entering = config.channels if conv.takes < 0 else self.stages[conv.takes].width
        groups = conv.width if conv.depthwise else 1
        return ConvBN(entering, conv.width, conv.kernel, conv.stride, groups)

    def neurons_behind(self, stage: int) -> int:
        """Membranes that read the current of convolution `stage`, or sums of its spikes."""
        height, width = self.sizes[stage]
        gating = sum(self.stages[each].gate == stage for each in self.gated)
        each = self.stages[stage].width * (stage in self.read) + self.heads * gating
        return each * height * width

    def gate_spikes(self, stage: int, rate: float) -> float:
        """Spikes of an image and timestep that the gate before convolution `stage` adds up.

        Args:
            stage: the convolution, a gated one.
            rate: mean sum in a place and head.
        """
        height, width = self.sizes[self.stages[stage].gate]
        return rate * self.heads * height * width

    def forward(self, x: Tensor) -> Tensor:
        """Normalised input to tokens: currents, or sums of spikes."""
        left: list[Tensor] = []

        @cache
        def spikes(index: int) -> Tensor:
            """Of what convolution `index` left."""
            if not self.lif_first:
                return left[index]
            return cast(Tensor, self.neurons[self.read.index(index)](left[index]))

        for index, (layer, conv) in enumerate(zip(self.convs, self.stages, strict=True)):
            taken = x if conv.takes < 0 else self._opened(spikes(conv.takes), index, left)
            # Currents stay float32 under autocast: they are added to each other.
            current = layer(taken).float()
            current = pool(current) if conv.pool else current
            each = current if self.lif_first else self.neurons[index](current)
            left.append(each if conv.adds < 0 else each + left[conv.adds])
        return left[-1].flatten(3).transpose(2, 3)

    def _opened(self, x: Tensor, index: int, left: Sequence[Tensor]) -> Tensor:
        """What convolution `index` takes of x [T, B, C, H, W]: all, or what its gate opens."""
        q = self.stages[index].gate
        if q < 0:
            return x
        sums = left[q].unflatten(2, (self.heads, -1)).sum(3)
        gate = self.gates[self.gated.index(index)](sums)
        return cast(Tensor, (x.unflatten(2, (self.heads, -1)) * gate.unsqueeze(3)).flatten(2, 3))
