"""SpikeCount: how often a neuron fires under a constant current."""

from plugins.spike_count.op import OP
from plugins.spike_count.reference import spike_count

__all__ = ["OP", "spike_count"]
