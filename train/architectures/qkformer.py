"""QKFormer (arXiv 2403.16552): stages with token attention between q and k, Spikformer's blocks.

A neuron follows every convolution and spikes are added. Embeddings add a strided 1 x 1 convolution
of what they take ("deformed shortcut"). In the stages before the last, attention is a gate: a place
keeps its k where its q has spikes enough (eq. 5-7).
"""

from __future__ import annotations

from train.architectures.attention import SSA
from train.architectures.base import Architecture
from train.architectures.stages import StageConv, StageForm, StageList


class _Stages(StageList):
    """The convolutions so far; each method appends some and gives the index of the last."""

    def pooled_twice(self, width: int) -> int:
        """The first embedding of large images: a quarter of the size."""
        first = self.conv(StageConv(-1, width // 2, pool=True))
        second = self.conv(StageConv(first, width, pool=True))
        third = self.conv(StageConv(second, width))
        return self.conv(StageConv(first, width, kernel=1, stride=2, adds=third))

    def halved(self, width: int, *, pool_first: bool = False) -> int:
        """Every other embedding: half the size, pooled after the first or the second."""
        before = self.last
        first = self.conv(StageConv(before, width, pool=pool_first))
        second = self.conv(StageConv(first, width, pool=not pool_first))
        return self.conv(StageConv(before, width, kernel=1, stride=2, adds=second))

    def block(self, ratio: float) -> int:
        """Token attention and MLP."""
        x, width = self.last, self[-1].width
        q = self.conv(StageConv(x, width, kernel=1))
        k = self.conv(StageConv(x, width, kernel=1))
        x = self.conv(StageConv(k, width, kernel=1, gate=q, adds=x))
        hidden = self.conv(StageConv(x, int(width * ratio), kernel=1))
        return self.conv(StageConv(hidden, width, kernel=1, adds=x))


def _imagenet(dim: int, ratio: float) -> tuple[StageConv, ...]:
    stages = _Stages()
    stages.pooled_twice(dim // 4)
    stages.block(ratio)
    stages.halved(dim // 2, pool_first=True)
    stages.block(ratio)
    stages.block(ratio)
    stages.halved(dim, pool_first=True)
    return tuple(stages)


def _cifar(dim: int, ratio: float) -> tuple[StageConv, ...]:
    stages = _Stages()
    stages.plain(dim // 4)
    stages.block(ratio)
    stages.halved(dim // 2)
    stages.block(ratio)
    stages.halved(dim)
    return tuple(stages)


def _events(dim: int, ratio: float) -> tuple[StageConv, ...]:
    stages = _Stages()
    stages.events(dim // 2)
    stages.block(ratio)
    stages.halved(dim)
    return tuple(stages)


QKFORMER = Architecture(
    name="qkformer",
    lif_first=False,
    attention=SSA,
    adds_position=False,
    forms={
        "imagenet": StageForm(3, 8, _imagenet),
        "cifar": StageForm(2, 8, _cifar),
        "events": StageForm(1, 16, _events),
    },
)
