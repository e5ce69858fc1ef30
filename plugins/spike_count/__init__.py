"""SpikeCount: how often a neuron fires under a constant current."""

from plugins.spike_count.op import OPS
from plugins.spike_count.reference import spike_count

__all__ = ["OPS", "spike_count"]
