"""Patches: the neighbourhood of every pixel, for a convolution that is a matrix product."""

from plugins.patches.op import OPS
from plugins.patches.reference import patches

__all__ = ["OPS", "patches"]
