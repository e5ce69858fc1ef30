"""SpikeConv and SpikeConvInteger: 3 x 3 convolutions that pay for non-zero activations only."""

from plugins.spike_conv.op import OPS
from plugins.spike_conv.reference import spike_conv, spike_conv_integer

__all__ = ["OPS", "spike_conv", "spike_conv_integer"]
