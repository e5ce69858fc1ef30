"""SpikeConv and SpikeConvInteger: 3 x 3 convolutions that pay for non-zero activations only."""

from plugins.spike_conv.op import INTEGER_OP, OP
from plugins.spike_conv.reference import spike_conv, spike_conv_integer

__all__ = ["INTEGER_OP", "OP", "spike_conv", "spike_conv_integer"]
