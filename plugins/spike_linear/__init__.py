"""SpikeLinear and SpikeLinearInteger: linear layers that pay for non-zero activations only."""

from plugins.spike_linear.op import OPS
from plugins.spike_linear.reference import spike_linear, spike_linear_integer

__all__ = ["OPS", "spike_linear", "spike_linear_integer"]
