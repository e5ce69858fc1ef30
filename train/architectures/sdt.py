"""Spike-driven Transformer (arXiv 2307.01694): Spikingformer's order, no matrix products."""

from train.architectures.attention import SDSA
from train.architectures.base import Architecture

SDT = Architecture(
    name="sdt",
    lif_first=True,
    attention=SDSA,
    adds_position=True,
    adds_square_mlp=True,
)
