"""TokenMergeSimilar in numpy: the definition that function body and kernels are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError
from plugins.token_merge.reference import best_targets


def token_merge_similar(
    x: Array, size: Array, live: Array, source: Array, *, threshold: float
) -> tuple[Array, Array, Array, Array]:
    """Merge even tokens into their most similar odd ones where the cosine reaches a threshold.

    Similarity, targets and ties are those of TokenMerge. A source is an even token that is alive
    and whose best live target is as similar as the threshold, both in float32. Its slot stays:
    dead, a zero vector. A given source that is dead, or has no live token to merge into, is dead
    as well.

    Args:
        x: tokens, float32 or float16 [B, K, D], finite, K >= 2.
        size: original tokens in each token, float32 [B, K].
        live: 1 = alive, int32 [B, K].
        source: 1 = merges, 0 at odd positions, int32 [B, K]; or [[-1]], [1, 1]: choose now.
        threshold: in (0, 1].

    Returns:
        x_next [B, K, D], the type of `x`; size_next float32 [B, K], that of a slot that merged
        unchanged; live_next int32 [B, K]; source_out int32 [B, K].

    Raises:
        OpInputError: the threshold, a shape or a given source is out of range.
    """
    _check(x, (size, live), source, threshold)
    choose = source.shape == (1, 1)
    images = [
        _merge_image(x[b], size[b], live[b], None if choose else source[b] == 1, threshold)
        for b in range(x.shape[0])
    ]
    return tuple(np.stack(part) for part in zip(*images, strict=True))  # type: ignore[return-value]


def _merge_image(
    x: Array, size: Array, live: Array, source: Array | None, threshold: float
) -> tuple[Array, ...]:
    """Merge the tokens of one image: x [K, D], size [K], live [K], source bool [K] or None."""
    tokens, size = x.astype(np.float32), size.copy()
    similarity, target = best_targets(tokens, live)
    if source is None:
        source = np.zeros(len(x), bool)
        source[::2] = (live[::2] != 0) & (similarity >= np.float32(threshold))
    for position in np.flatnonzero(source):
        goal = target[position // 2]
        if live[position] and goal >= 0:
            tokens[goal] += x[position].astype(np.float32)
            size[goal] += size[position]
    tokens[source] = 0
    alive = np.where(source, 0, live).astype(np.int32)
    return tokens.astype(x.dtype), size, alive, source.astype(np.int32)


def _check(x: Array, per_token: tuple[Array, ...], source: Array, threshold: float) -> None:
    """Raise OpInputError where the arguments do not fit each other."""
    if x.ndim != 3 or x.shape[1] < 2:
        raise OpInputError(f"x must have shape [B, K, D] with K >= 2, got {x.shape}.")
    if not 0 < threshold <= 1:
        raise OpInputError(f"threshold must be in (0, 1], got {threshold}.")
    for name, array in zip(("size", "live"), per_token, strict=True):
        if array.shape != x.shape[:2]:
            raise OpInputError(f"{name} must have shape {x.shape[:2]}, got {array.shape}.")
    if source.shape == (1, 1) and int(source[0, 0]) == -1:
        return
    if source.shape != x.shape[:2]:
        raise OpInputError(
            f"source must have shape {x.shape[:2]}, or be [[-1]]; got {source.shape}."
        )
    if not np.isin(source, (0, 1)).all() or source[:, 1::2].any():
        raise OpInputError("source must be 0 or 1, and 0 at odd positions, which merge nowhere.")
