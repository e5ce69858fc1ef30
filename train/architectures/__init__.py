"""What tells one spiking transformer from another, an object each; standard library only.

    base            the questions that training, folding, graphs, int8 and energy ask
    attention       the ways in which q, k and v are mixed
    stages          convolutional stages in the stem's place
    spikformer, spikingformer, sdt, maxformer, qkformer, espikeformer    one architecture each

A new architecture is a file here, a line below and its name in `spikehalt.vocabulary`. A new
attention is an object here and its implementations in `train/models/attention.py` and
`export/graph/blocks.py`, where tables go by that object.
"""

from __future__ import annotations

from spikehalt.errors import ConfigError
from spikehalt.strict import unknown_name
from train.architectures.base import Architecture, Attention
from train.architectures.espikeformer import ESPIKEFORMER
from train.architectures.maxformer import MAXFORMER
from train.architectures.qkformer import QKFORMER
from train.architectures.sdt import SDT
from train.architectures.spikformer import SPIKFORMER
from train.architectures.spikingformer import SPIKINGFORMER

__all__ = ["ARCHITECTURES", "Architecture", "Attention", "architecture"]

ARCHITECTURES: dict[str, Architecture] = {
    each.name: each for each in (SPIKFORMER, SPIKINGFORMER, SDT, MAXFORMER, QKFORMER, ESPIKEFORMER)
}


def architecture(name: str) -> Architecture:
    """The architecture that configurations call `name`.

    Raises:
        ConfigError: no such name; the nearest one and the list are given.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    raise ConfigError(unknown_name("architecture", name, ARCHITECTURES))
