"""E-SpikeFormer (Spike-driven Transformer V3, arXiv 2411.16061): integers in time's place.

Its neurons keep no membrane: they round a current to one of the integers 0..D, which stand for so
many spikes of D virtual timesteps. Convolutional stages, then Spikingformer's blocks; the published
network of width 512 has one more linear layer before the attention of each.
"""

from __future__ import annotations

from train.architectures.attention import SSA
from train.architectures.base import Architecture
from train.architectures.stages import StageConv, StageForm, StageList

_FIRST_WIDTHS = {768: 98}  # of others, an eighth


class _Stages(StageList):
    """The convolutions so far; each method appends some and gives the index of the last."""

    def halved(self, width: int, kernel: int = 3) -> int:
        """Half the size."""
        return self.conv(StageConv(self.last, width, kernel=kernel, stride=2))

    def block(self, ratio: float) -> int:
        """Two convolutions and a residual."""
        x, width = self.last, self[-1].width
        hidden = self.conv(StageConv(x, int(width * ratio)))
        return self.conv(StageConv(hidden, width, adds=x))


def _imagenet(dim: int, ratio: float) -> tuple[StageConv, ...]:
    stages, width = _Stages(), _FIRST_WIDTHS.get(dim, dim // 8)
    stages.halved(width, kernel=7)
    stages.block(ratio)
    stages.halved(2 * width)
    stages.block(ratio)
    stages.halved(dim // 2)
    stages.block(ratio)
    stages.block(ratio)
    stages.halved(dim)
    return tuple(stages)


ESPIKEFORMER = Architecture(
    name="espikeformer",
    lif_first=True,
    attention=SSA,
    adds_position=False,
    integer=True,
    forms={"imagenet": StageForm(0, 8, _imagenet)},
)
