"""TokenPack in numpy: the definition the function body and the kernel are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError


def token_pack(x: Array, index: Array, live: Array) -> tuple[Array, Array, Array]:
    """Pick the rows of live tokens, in order.

    Args:
        x: float32 or float16 [M, D].
        index: int64 [M], ascending: b * K + k of each row. Every live token has a row.
        live: int32 [B, K], 1 = alive.

    Returns:
        packed, the type of `x` [M', D]; packed_index, int64 [M'], as `index`; place, int64 [B * K],
        the packed row of each slot, M' where it has none.

    Raises:
        OpInputError: the shapes do not fit each other, or an index is outside 0..B * K - 1.
    """
    if x.ndim != 2 or index.shape != x.shape[:1] or live.ndim != 2:
        raise OpInputError(f"x {x.shape}, index {index.shape} and live {live.shape} do not fit.")
    if index.size and not (index.min() >= 0 and index.max() < live.size):
        raise OpInputError(f"an index is outside 0..{live.size - 1}.")
    kept = live.reshape(-1)[index] != 0
    packed_index = index[kept]
    place = np.full(live.size, len(packed_index), np.int64)
    place[packed_index] = np.arange(len(packed_index))
    return x[kept], packed_index, place
