"""Spikingformer (arXiv 2304.11954): a neuron before every linear layer, currents are added."""

from train.architectures.attention import SSA
from train.architectures.base import Architecture

SPIKINGFORMER = Architecture(
    name="spikingformer",
    lif_first=True,
    attention=SSA,
    adds_position=False,
)
