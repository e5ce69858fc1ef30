"""LIF: the leaky integrate-and-fire neuron, `u = decay * v + x`."""

from plugins.lif.op import OPS
from plugins.lif.reference import lif

__all__ = ["OPS", "lif"]
