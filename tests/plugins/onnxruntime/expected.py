"""What the ops for packed rows and rates should give, as short numpy expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plugins.lif import lif
from plugins.token_halt import token_halt

Array = npt.NDArray[Any]


def packed_lif(x: Array, v: Array, row: Array, **attributes: Any) -> tuple[Array, Array]:
    return lif(x, v[row], **attributes)


def packed_token_halt(
    x: Array, index: Array, size: Array, hist: Array, cum: Array, epsilon: Array, **attributes: Any
) -> tuple[Array, Array, Array, Array]:
    """TokenHalt of the dense tokens, a slot without a row being dead."""
    dense = np.zeros((*size.shape, x.shape[1]), np.float32)
    alive = np.zeros(size.shape, np.int32)
    dense.reshape(-1, x.shape[1])[index], alive.reshape(-1)[index] = x, 1
    return token_halt(dense, size, hist, cum, alive, epsilon, **attributes, reduce=True)


def token_pack(x: Array, index: Array, live: Array) -> tuple[Array, Array, Array]:
    kept = live.reshape(-1)[index] != 0
    place = np.full(live.size, kept.sum(), np.int64)
    place[index[kept]] = np.arange(kept.sum())
    return x[kept], index[kept], place


def packed_attention(spikes: Array, index: Array, *, heads: int, slots: int) -> tuple[Array]:
    rows, width = spikes.shape
    parts = spikes.astype(np.float32).reshape(rows, 3, heads, width // (3 * heads))
    q, k, v = parts.transpose(1, 2, 0, 3)
    image = index // slots
    mixed = ((q @ k.transpose(0, 2, 1)) * (image[:, None] == image)) @ v
    return (mixed.astype(np.float32).transpose(1, 0, 2).reshape(rows, width // 3),)


def spike_count(
    x: Array, at: Array, *, weights: list[int], unit: float, count_type: npt.DTypeLike
) -> tuple[Array]:
    count = sum((weight * (x >= row) for row, weight in zip(at, weights, strict=True)), 0 * x)
    return ((count.astype(np.float32) * np.float32(unit)).astype(count_type),)


def patches(x: Array) -> tuple[Array]:
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [padded[:, r : r + height, c : c + width] for r in range(3) for c in range(3)]
    return (np.concatenate(shifts, axis=3),)
