"""Spikformer (arXiv 2209.15425): a neuron after every linear layer, spikes are added."""

from train.architectures.attention import SSA
from train.architectures.base import Architecture

SPIKFORMER = Architecture(
    name="spikformer",
    lif_first=False,
    attention=SSA,
    adds_position=True,
)
