"""TokenHalt in numpy: the definition the function bodies and the kernel are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError


def token_halt(
    x: Array,
    size: Array,
    hist: Array,
    cum: Array,
    live: Array,
    epsilon: Array,
    *,
    alpha: float,
    beta: float,
    last: int | bool,
    reduce: int | bool,
) -> tuple[Array, Array, Array, Array]:
    """Score the tokens after one block, halt those that reached 1 - epsilon, weigh the readout.

    In float32, per token: `h = sigmoid(alpha * x[0] / size + beta) * live`, `hist' = hist + h`
    (sum over timesteps), `cum' = cum + hist'` (prefix over blocks); a token halts when
    `cum' >= 1 - epsilon`, or in the last block. Its weight is `h` before that, `1 - cum` in the
    block where it halts, 0 after (AT-SNN eq. 4-7, STAS 3.2; Graves' remainder).

    Args:
        x: tokens after the block, float32 or float16 [..., D]; "..." is [M] or [B, K].
        size: original tokens merged into each token, float32 [...].
        hist: this block's scores summed over the earlier timesteps, float32 [...].
        cum: prefix sum over the earlier blocks, float32 [...].
        live: 1 = alive, int32 [...].
        epsilon: float32 [].
        alpha: factor of the token's first element.
        beta: offset of the score.
        last: the block is the last one: every token halts here.
        reduce: sum the readout over the token axis; `x` is then [B, K, D]. (op `TokenHaltSum`)

    Returns:
        readout, float32 [..., D], or [B, D] when `reduce`; hist_next and cum_next, float32 [...];
        live_next, int32 [...].

    Raises:
        OpInputError: the shapes do not fit each other.
    """
    _check(x, (size, hist, cum, live), bool(reduce))
    alive = live.astype(np.float32)
    score = np.float32(alpha) * x[..., 0].astype(np.float32) / size + np.float32(beta)
    h = _sigmoid(score) * alive
    hist_next = hist + h
    cum_next = cum + hist_next
    halted = np.asarray(bool(last) | (cum_next >= np.float32(1) - epsilon))
    weight = alive * np.where(halted, np.float32(1) - cum, h)
    readout = weight[..., None] * x.astype(np.float32)
    live_next = np.where(halted, np.int32(0), live).astype(np.int32)
    return (readout.sum(axis=1) if reduce else readout), hist_next, cum_next, live_next


def _sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)) without overflow: the exponent is never positive."""
    decay = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, np.float32(1), decay) / (np.float32(1) + decay))


def _check(x: Array, per_token: tuple[Array, ...], reduce: bool) -> None:
    """Raise ValueError where the shapes do not fit."""
    if x.ndim not in (2, 3) or (reduce and x.ndim != 3):
        wanted = "[B, K, D]" if reduce else "[M, D] or [B, K, D]"
        raise OpInputError(f"x must have shape {wanted}, got {x.shape}.")
    for name, array in zip(("size", "hist", "cum", "live"), per_token, strict=True):
        if array.shape != x.shape[:-1]:
            raise OpInputError(f"{name} must have shape {x.shape[:-1]}, got {array.shape}.")
