"""The weights of a start, in a network that may have more than it: another head, further blocks.

A block that the start lacks begins as the identity (Net2Net, Chen et al. 2016), so that a deeper
network answers as the start does, and learns from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor

from spikehalt.console import note
from spikehalt.errors import ConfigError
from train.models import SpikingTransformer
from train.models.blocks import Block

HEAD = ("head.weight", "head.bias")


def lend(network: SpikingTransformer, weights: Mapping[str, Tensor]) -> None:
    """Give the network a start's weights; what the start lacks stays as it was initialised.

    Args:
        network: takes them.
        weights: a state dict, without `HEAD` where a new head is trained.

    Raises:
        ConfigError: they fit neither the network nor a shallower one of its kind.
    """
    further = _further_blocks(network, weights)
    for index in further:
        cast(Block, network.blocks[index]).pass_on()
    prefixes = (*([] if set(HEAD) & set(weights) else HEAD), *(f"blocks.{i}." for i in further))
    own = {name: each for name, each in network.state_dict().items() if name.startswith(prefixes)}
    try:
        network.load_state_dict({**own, **weights})
    except RuntimeError as error:
        raise ConfigError(f"the start weights do not fit the model: {error}") from None
    if further:
        note(
            f"the start has {further[0]} blocks: the model's further {len(further)} begin by "
            "passing tokens on"
        )


def _further_blocks(network: SpikingTransformer, weights: Mapping[str, Tensor]) -> list[int]:
    """Indices of the blocks behind those that the start has; none where it has no block at all."""
    there = {int(name.split(".")[1]) for name in weights if name.startswith("blocks.")}
    return [index for index in range(max(there, default=-1) + 1, len(network.blocks)) if there]
