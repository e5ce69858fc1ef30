"""PackedTokenHalt in numpy: the definition the function body and the kernel are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError
from plugins.token_halt.reference import token_halt


def packed_token_halt(
    x: Array,
    index: Array,
    size: Array,
    hist: Array,
    cum: Array,
    epsilon: Array,
    *,
    alpha: float,
    beta: float,
    last: int | bool,
) -> tuple[Array, Array, Array, Array]:
    """Halting of `plugins.token_halt.reference.token_halt` on rows of live tokens.

    A slot without a row is not alive: its score is 0, so `hist` stays and `cum` grows by it.

    Args:
        x: tokens after the block, float32 or float16 [M, D].
        index: int64 [M], ascending: b * K + k of each row.
        size: original tokens merged into each token, float32 [B, K].
        hist: this block's scores summed over the earlier timesteps, float32 [B, K].
        cum: prefix sum over the earlier blocks, float32 [B, K].
        epsilon: float32 [].
        alpha: factor of the token's first element.
        beta: offset of the score.
        last: the block is the last one: every token halts here.

    Returns:
        readout, the rows of each image times their weights, summed, float32 [B, D]; hist_next and
        cum_next, float32 [B, K]; live_next, int32 [B, K], 1 = goes on.

    Raises:
        OpInputError: the shapes do not fit each other, or `index` does not ascend within B * K.
    """
    _check(x, index, (size, hist, cum))
    readout = np.zeros((hist.shape[0], x.shape[1]), np.float32)
    hist_next, live = hist.copy(), np.zeros(hist.shape, np.int32)
    sizes, before, inner = (array.reshape(-1)[index] for array in (size, hist, cum))
    alive = np.ones(len(index), np.int32)
    weighted, hist_rows, _, live_rows = token_halt(
        x, sizes, before, inner, alive, epsilon, alpha=alpha, beta=beta, last=last, reduce=False
    )
    hist_next.reshape(-1)[index], live.reshape(-1)[index] = hist_rows, live_rows
    np.add.at(readout, index // hist.shape[1], weighted)
    return readout, hist_next, cum + hist_next, live


def _check(x: Array, index: Array, per_token: tuple[Array, ...]) -> None:
    """Raise ValueError where the arguments do not fit each other."""
    if x.ndim != 2 or index.shape != x.shape[:1]:
        raise OpInputError(f"x {x.shape} and index {index.shape} do not fit each other.")
    shapes = {array.shape for array in per_token}
    if len(shapes) != 1 or per_token[0].ndim != 2:
        raise OpInputError(f"size, hist and cum must have one shape [B, K], got {sorted(shapes)}.")
    slots = per_token[0].size
    if index.size and not (index[0] >= 0 and index[-1] < slots and (np.diff(index) > 0).all()):
        raise OpInputError(f"index must ascend within 0..{slots - 1}.")
