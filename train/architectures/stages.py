"""Convolutional stages before the blocks, as a list of convolutions that neurons connect.

Every convolution leaves a membrane current; a neuron turns it into the spikes that later ones take:

    current_i = pool_i(BN_i(conv_i(LIF(current_takes)))) + current_adds
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
        adds: the convolution whose current is added to its own; -1: none.
    """

    takes: int
    width: int
    kernel: int = 3
    stride: int = 1
    pool: bool = False
    depthwise: bool = False
    adds: int = -1


@dataclass(frozen=True)
class StageForm:
    """One published form of an architecture's stages.

    Attributes:
        blocks: blocks of the earlier stages, which the papers' names count too.
        divides: the embedding D must be a multiple of it.
        convs: from D and the MLPs' ratio; the last one's current is the tokens. The first has no
            pool, and its current is not added to another.
    """

    blocks: int
    divides: int
    convs: Callable[[int, float], tuple[StageConv, ...]]


def read_currents(convs: Sequence[StageConv]) -> list[int]:
    """Convolutions whose current a neuron reads, in order: one neuron each."""
    return sorted({conv.takes for conv in convs if conv.takes >= 0})


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
