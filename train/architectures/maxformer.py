"""Max-Former (arXiv 2505.18608): convolutional stages, then Spikingformer's blocks.

Depth-wise convolutions mix tokens in the early stages, and embeddings max-pool between them, both
of which keep high frequencies that neurons filter out. Currents are added everywhere.
"""

from __future__ import annotations

from dataclasses import replace

from train.architectures.attention import SSA
from train.architectures.base import Architecture
from train.architectures.stages import StageConv, StageForm, StageList


class _Stages(StageList):
    """The convolutions so far; each method appends some and gives the index of the last."""

    def strided(self, width: int) -> int:
        """From 224 to 56 pixels a side."""
        first = self.conv(StageConv(-1, width // 2, stride=2))
        second = self.conv(StageConv(first, width, stride=2))
        third = self.conv(StageConv(second, width))
        return self.conv(StageConv(first, width, kernel=1, stride=2, adds=third))

    def pooled(self, width: int) -> int:
        """Max-pool embedding: half the size."""
        before = self.last
        first = self.conv(StageConv(before, width, pool=True))
        second = self.conv(StageConv(first, width))
        return self.conv(StageConv(before, width, kernel=1, pool=True, adds=second))

    def block(self, kernel: int, ratio: float) -> int:
        """Depth-wise convolution, if any, and MLP."""
        x, width = self.last, self[-1].width
        if kernel:
            x = self.conv(StageConv(x, width, kernel=kernel, depthwise=True, adds=x))
        hidden = StageConv(x, int(width * ratio), kernel=1)
        if hidden.width == width:
            x = self.conv(replace(hidden, adds=x))
            return self.conv(StageConv(x, width, kernel=1, adds=x))
        return self.conv(StageConv(self.conv(hidden), width, kernel=1, adds=x))


def _imagenet(dim: int, ratio: float) -> tuple[StageConv, ...]:
    stages = _Stages()
    stages.strided(dim // 4)
    stages.block(7, ratio)
    stages.pooled(dim // 2)
    stages.block(5, ratio)
    stages.block(5, ratio)
    stages.pooled(dim)
    return tuple(stages)


def _cifar(dim: int, ratio: float) -> tuple[StageConv, ...]:
    stages = _Stages()
    stages.plain(dim // 4)
    stages.block(0, ratio)
    stages.pooled(dim // 2)
    stages.block(3, ratio)
    stages.pooled(dim)
    return tuple(stages)


def _events(dim: int, ratio: float) -> tuple[StageConv, ...]:
    stages = _Stages()
    stages.events(dim // 2)
    stages.block(3, ratio)
    stages.pooled(dim)
    return tuple(stages)


MAXFORMER = Architecture(
    name="maxformer",
    lif_first=True,
    attention=SSA,
    adds_position=False,
    adds_square_mlp=True,
    forms={
        "imagenet": StageForm(3, 8, _imagenet),
        "cifar": StageForm(2, 8, _cifar),
        "events": StageForm(1, 16, _events),
    },
)
