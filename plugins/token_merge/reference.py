"""TokenMerge in numpy: the definition the function body and the kernel are compared with."""

from __future__ import annotations

import numpy as np

from plugins.common.types import Array
from plugins.errors import OpInputError


def token_merge(
    x: Array, size: Array, live: Array, source: Array, *, gamma: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Merge `gamma` tokens at even positions into their most similar tokens at odd positions.

    AT-SNN algorithm 1. Similarity is the cosine `dot / sqrt(|a|^2 * |b|^2)` in float32, 0 with a
    zero vector. A source that is dead, or has no live token to merge into, just disappears.
    Sources are chosen in this order: dead ones, then live ones by falling similarity to their
    best target, then live ones with no target; ties go to the lower position, also among targets.

    Args:
        x: tokens, float32 or float16 [B, K, D], finite.
        size: original tokens in each token, float32 [B, K].
        live: 1 = alive, int32 [B, K].
        source: even positions that merge, int32 [B, gamma]; or [[-1]], [1, 1]: choose them now.
        gamma: tokens that disappear, 1 <= gamma <= K // 2.

    Returns:
        x_next [B, K - gamma, D], the type of `x`; size_next float32 [B, K - gamma]; live_next
        int32 [B, K - gamma]; keep int32 [B, K - gamma], the surviving positions, ascending;
        source_out int32 [B, gamma], the positions that merged, ascending.

    Raises:
        OpInputError: `gamma` or a shape is out of range, or a given source is no even position.
    """
    _check(x, (size, live), source, gamma)
    choose = source.shape == (1, 1) and int(source[0, 0]) == -1
    images = [
        _merge_image(x[b], size[b], live[b], None if choose else source[b], gamma)
        for b in range(x.shape[0])
    ]
    return tuple(np.stack(part) for part in zip(*images, strict=True))  # type: ignore[return-value]


def _merge_image(
    x: Array, size: Array, live: Array, source: Array | None, gamma: int
) -> tuple[Array, ...]:
    """Merge the tokens of one image: x [K, D], size [K], live [K], source [gamma] or None."""
    tokens = x.astype(np.float32)
    similarity, target = best_targets(tokens, live)
    if source is None:
        source = _choose(similarity, live[0::2], gamma)
    size = size.copy()
    for position in source:
        if live[position] and target[position // 2] >= 0:
            tokens[target[position // 2]] += x[position].astype(np.float32)
            size[target[position // 2]] += size[position]
    keep = np.setdiff1d(np.arange(len(x)), source)
    source_out = np.asarray(source, dtype=np.int32)
    return tokens[keep].astype(x.dtype), size[keep], live[keep], keep.astype(np.int32), source_out


def best_targets(tokens: Array, live: Array) -> tuple[Array, Array]:
    """Similarity to, and position of, each even token's best live odd token; -inf and -1: none."""
    a, b = tokens[0::2], tokens[1::2]
    norms = (a * a).sum(axis=1)[:, None] * (b * b).sum(axis=1)[None, :]
    nonzero = norms > 0
    similarity = np.where(nonzero, a @ b.T / np.sqrt(np.where(nonzero, norms, 1)), 0)
    similarity[:, live[1::2] == 0] = -np.inf
    best = similarity.argmax(axis=1)
    value = similarity.max(axis=1)
    return value, np.where(np.isneginf(value), -1, 2 * best + 1)


def _choose(similarity: Array, live: Array, gamma: int) -> Array:
    """The `gamma` even positions that merge, ascending; similarity and live are of even tokens."""
    priority = np.where(live == 0, np.inf, similarity)
    order = np.argsort(-priority, kind="stable")
    return np.sort(2 * order[:gamma])


def _check(x: Array, per_token: tuple[Array, ...], source: Array, gamma: int) -> None:
    """Raise ValueError where the arguments do not fit each other."""
    if x.ndim != 3:
        raise OpInputError(f"x must have shape [B, K, D], got {x.shape}.")
    B, K, _ = x.shape
    if not 1 <= gamma <= K // 2:
        raise OpInputError(f"gamma must be between 1 and K // 2 = {K // 2}, got {gamma}.")
    for name, array in zip(("size", "live"), per_token, strict=True):
        if array.shape != (B, K):
            raise OpInputError(f"{name} must have shape {(B, K)}, got {array.shape}.")
    _check_source(source, (B, gamma), K)


def _check_source(source: Array, shape: tuple[int, int], K: int) -> None:
    """Raise ValueError unless the sources are distinct even positions, or [[-1]]."""
    if source.shape == (1, 1) and int(source[0, 0]) == -1:
        return
    if source.shape != shape:
        raise OpInputError(f"source must have shape {shape}, or be [[-1]]; got {source.shape}.")
    if (source < 0).any() or (source >= K).any() or (source % 2).any():
        raise OpInputError(f"source must hold even positions below {K}, got {source.tolist()}.")
    if (np.diff(np.sort(source, axis=1), axis=1) == 0).any():
        raise OpInputError(f"source names a position twice: {source.tolist()}.")
