"""Spiking self-attention in numpy: what the function bodies and kernels are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError


def spike_attention(spikes: Array, *, heads: int, slots: int) -> tuple[Array]:
    """(q k^T) v per head among the tokens of an image: SSA without softmax, unscaled.

    Args:
        spikes: q, k and v side by side, 0 or 1 or small integers times a power of two, float32,
            float16 or uint8 [B * K, 3 D].
        heads: H; each has D / H columns.
        slots: K.

    Returns:
        mixed, float32 [B * K, D]: sums of spikes, exact.

    Raises:
        OpInputError: the shapes do not fit each other.
    """
    return packed_attention(spikes, np.arange(len(spikes)), heads=heads, slots=slots)


def packed_attention(
    spikes: Array, index: Array, place: Array | None = None, *, heads: int, slots: int
) -> tuple[Array]:
    """`spike_attention` where only live tokens have rows.

    Args:
        spikes: as there, [M, 3 D].
        index: int64 [M], ascending: b * K + k of each row.
        place: int64 [B * K], the row of each slot, M where it has none. The function body needs
            it; the result does not depend on it.
        heads: H.
        slots: K.

    Returns:
        mixed, float32 [M, D].

    Raises:
        OpInputError: the shapes do not fit each other.
    """
    rows, width = spikes.shape
    if width % (3 * heads) or index.shape != (rows,) or slots < 1:
        raise OpInputError(
            f"spikes {spikes.shape}, index {index.shape}, heads {heads} and slots {slots} do not "
            "fit each other."
        )
    image = index // slots
    parts = spikes.astype(np.float32).reshape(rows, 3, heads, width // (3 * heads))
    q, k, v = parts.transpose(1, 2, 0, 3)
    same = (image[:, None] == image).astype(np.float32)
    mixed = ((q @ k.transpose(0, 2, 1)) * same) @ v
    return (mixed.transpose(1, 0, 2).reshape(rows, width // 3),)
