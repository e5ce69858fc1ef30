"""The ways in which blocks mix tokens."""

from __future__ import annotations

from operator import mul

from train.architectures.base import Attention

# Spiking self-attention, (q k^T) v: the cheaper order of its products sums over tokens or over
# the width of a head.
SSA = Attention("SSA", scaled=True, has_op=True, meets=min, largest_sum=mul)

# Spike-driven self-attention (Spike-driven Transformer eq. 12): q masked by the spiking sum over
# tokens of k * v.
SDSA = Attention(
    "SDSA",
    scaled=False,
    has_op=False,
    meets=lambda tokens, width: 1,
    largest_sum=lambda tokens, width: tokens,
    spreads=True,
)
