"""Emit convolutional stages in the stem's place (`train/architectures/stages.py`)."""

from __future__ import annotations

from functools import cache

from export.fold.exact import SPIKES
from export.graph.emitter import Emitter
from export.graph.stem.stem import to_tokens
from train.architectures.stages import read_currents, sizes


def tokens_of_chunk(e: Emitter, current: str, *, constant: bool) -> str:
    """The first convolution's current to tokens [C * B, K, D].

    `constant`: the current is one timestep's, and the same at every other.
    """
    config, plan, currents = e.plan.config, e.plan.stem, [current]
    read, left = read_currents(config.stages), sizes(config.stages, config.image_size)[1]

    @cache
    def spikes(index: int) -> str:
        name, tail = f"stem.lif{read.index(index) + 1}", [config.stages[index].width, *left[index]]
        once = constant and index == 0
        return e.lif_per_image(name, currents[index], plan.residual_lif, tail, constant=once)

    for index, conv in enumerate(config.stages[1:], 1):
        number = index + 1
        current = e.conv(spikes(conv.takes), plan.convs[index], f"conv{number}", SPIKES)
        current = e.pool(current, f"pool{number}") if conv.pool else current
        if conv.adds >= 0:
            current = e.graph.op("Add", current, currents[conv.adds], name=f"residual{number}")
        currents.append(current)
    return to_tokens(e, currents[-1])
