"""SpikeAttention and PackedAttention: spiking self-attention, without softmax."""

from plugins.spike_attention.op import OPS
from plugins.spike_attention.reference import packed_attention, spike_attention

__all__ = ["OPS", "packed_attention", "spike_attention"]
