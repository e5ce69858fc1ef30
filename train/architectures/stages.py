"""Convolutional stages before the blocks, as a list of convolutions that neurons connect.

Where the architecture's neurons come first (`Architecture.lif_first`) every convolution leaves a
membrane current, and a neuron turns it into the spikes that later ones take; else a neuron follows
every convolution, and spikes are added:

    x_i = pool_i(BN_i(conv_i(LIF(x_takes)))) + x_adds
    x_i = LIF(pool_i(BN_i(conv_i(x_takes)))) + x_adds
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Size = tuple[int, int]


@dataclass(frozen=True)
class StageConv:
    """A convolution (no bias, padded by half its kernel) and its BatchNorm.

    Attributes:
        takes: the convolution whose spikes are its input; -1: pixels or frames.
        width: its output channels.
        kernel: height and width of its kernel, odd.
        stride: of the convolution.
        pool: its current is max-pooled (3, stride 2, padding 1).
        depthwise: every channel for itself.
        adds: the convolution whose x is added to its own; -1: none.
        gate: the convolution whose spikes q open what it takes (QKFormer's token attention); -1:
            none. In every place and head, a neuron with the attention's threshold fires on the sum
            of q, and where it does not, nothing is taken.
    """

    takes: int
    width: int
    kernel: int = 3
    stride: int = 1
    pool: bool = False
    depthwise: bool = False
    adds: int = -1
    gate: int = -1


class StageList(list[StageConv]):
    """The convolutions so far; each method appends some and gives the index of the last."""

    def conv(self, conv: StageConv) -> int:
        """One more; gives its index."""
        self.append(conv)
        return len(self) - 1

    @property
    def last(self) -> int:
        """The index of the last one."""
        return len(self) - 1

    def plain(self, width: int) -> int:
        """Of small images, at their size."""
        first = self.conv(StageConv(-1, width // 2))
        second = self.conv(StageConv(first, width))
        return self.conv(StageConv(first, width, kernel=1, adds=second))

    def events(self, width: int) -> int:
        """From 128 to 16 pixels a side."""
        first = self.conv(StageConv(-1, width // 8))
        second = self.conv(StageConv(first, width // 4, pool=True))
        third = self.conv(StageConv(second, width // 2, pool=True))
        fourth = self.conv(StageConv(third, width, pool=True))
        return self.conv(StageConv(second, width, kernel=1, stride=4, adds=fourth))


@dataclass(frozen=True)
class StageForm:
    """One published form of an architecture's stages.

    Attributes:
        blocks: blocks of the earlier stages, which the papers' names count too.
        divides: the embedding D must be a multiple of it.
        convs: from D and the MLPs' ratio; the last one's x is the tokens. The first one's is not
            added to another.
    """

    blocks: int
    divides: int
    convs: Callable[[int, float], tuple[StageConv, ...]]


def read_currents(convs: Sequence[StageConv]) -> list[int]:
    """Convolutions whose current a neuron reads, in order: one neuron each."""
    return sorted({conv.takes for conv in convs if conv.takes >= 0})


def gates(convs: Sequence[StageConv]) -> list[int]:
    """Convolutions that take what a gate leaves, in order: one neuron each."""
    return [index for index, conv in enumerate(convs) if conv.gate >= 0]


def most_spikes(convs: Sequence[StageConv]) -> list[int]:
    """Largest x of every convolution that a neuron follows: a spike, and what it is added to."""
    most: list[int] = []
    for conv in convs:
        most.append(1 + (most[conv.adds] if conv.adds >= 0 else 0))
    return most


def sizes(convs: Sequence[StageConv], image: Size) -> tuple[list[Size], list[Size]]:
    """Height and width that every convolution computes, and of its current after its pool."""
    computed: list[Size] = []
    left: list[Size] = []
    for conv in convs:
        entering = image if conv.takes < 0 else left[conv.takes]
        computed.append(_reduced(entering, conv.stride))
        left.append(_reduced(computed[-1], 2 if conv.pool else 1))
    return computed, left


def _reduced(size: Size, stride: int) -> Size:
    return -(-size[0] // stride), -(-size[1] // stride)
