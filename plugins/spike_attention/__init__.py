"""SpikeAttention and PackedAttention: spiking self-attention, without softmax."""

from plugins.spike_attention.op import OP, PACKED_OP
from plugins.spike_attention.reference import packed_attention, spike_attention

__all__ = ["OP", "PACKED_OP", "packed_attention", "spike_attention"]
