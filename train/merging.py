"""Token merging as pure functions on tensors (AT-SNN algorithm 1).

At the start of a block the tokens at even positions (A) look for their most similar partner at an
odd position (B), and some of them merge, b += a: the `gamma` best pairs, whose slots disappear; or
all pairs as similar as a threshold, whose slots stay and are dead. Which sources merge is chosen
once, at t = 1; later the same sources merge, each into its most similar partner of that moment. So
slots are static, and a slot keeps its identity over time.

Live tokens never merge into halted ones; a source with no live partner, or a halted one,
disappears.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spikehalt.exits import single

# Order in which sources are chosen: halted ones cost nothing; live ones without partner come last.
HALTED_SOURCE, NO_PARTNER = 4.0, -4.0


class Merged(NamedTuple):
    """Tokens after the merge, K' = K - gamma; with a threshold K' = K.

    Attributes:
        x: [T, B, K', D].
        size: [T, B, K'].
        live: [T, B, K'].
        keep: surviving positions [B, K'], ascending.
        moved: slot that each old position's vector went to, int64 [T, B, K]; -1 for nowhere.
    """

    x: Tensor
    size: Tensor
    live: Tensor
    keep: Tensor
    moved: Tensor


def similarity(x: Tensor, live: Tensor) -> Tensor:
    """`cosine` of every even token with every odd one.

    Args:
        x: [..., K, D].
        live: [..., K].

    Returns:
        [..., ceil(K/2), floor(K/2)]; 0 with a zero vector, NO_PARTNER towards halted tokens.
    """
    x = x.float()
    a, b = x[..., ::2, :], x[..., 1::2, :]
    squares = (a * a).sum(-1).unsqueeze(-1) * (b * b).sum(-1).unsqueeze(-2)
    with torch.autocast(x.device.type, enabled=False):
        dot = a @ b.transpose(-1, -2)
    return torch.where(live[..., 1::2].unsqueeze(-2) > 0, cosine(dot, squares), NO_PARTNER)


def cosine(dot: Tensor, squares: Tensor) -> Tensor:
    """dot / sqrt(squares) in float32, 0 where `squares` is 0; every operation rounds correctly.

    PyTorch's float32 root is off by one unit on some processors, which would tell equally similar
    partners apart. That of float64, rounded, is the correctly rounded root of every float32: those
    lie 2^-50 or more from where rounding changes, relatively, and float64 is good to 2^-51.

    Args:
        dot: products of two vectors, float32.
        squares: of their squared lengths, float32, same shape.
    """
    root = squares.double().sqrt().float()
    return torch.where(squares > 0, dot / root, torch.zeros_like(dot))


def choose_sources(x: Tensor, live: Tensor, gamma: int) -> Tensor:
    """The `gamma` even positions that merge: halted first, then by their best similarity.

    Args:
        x: tokens of the first timestep [B, K, D].
        live: [B, K].
        gamma: at most floor(K / 2).

    Returns:
        Positions int64 [B, gamma], ascending. Ties go to the lower position.
    """
    best = similarity(x, live).amax(-1)
    priority = torch.where(live[..., ::2] > 0, best, HALTED_SOURCE)
    order = priority.sort(dim=-1, descending=True, stable=True).indices
    return order[..., :gamma].sort(-1).values * 2


def similar_sources(x: Tensor, live: Tensor, threshold: float) -> Tensor:
    """The even positions that merge: live, and as similar to a live odd token as the threshold.

    Args:
        x: tokens of the first timestep [B, K, D].
        live: [B, K].
        threshold: of the cosine, rounded to float32 as it is.

    Returns:
        bool [B, K].
    """
    best = similarity(x, live).amax(-1)
    source = torch.zeros_like(live, dtype=torch.bool)
    source[..., ::2] = (live[..., ::2] > 0) & (best >= single(threshold))
    return source


def merge(x: Tensor, size: Tensor, live: Tensor, source: Tensor) -> Merged:
    """Merge `source` into the most similar live odd token of each timestep; its slots disappear.

    Args:
        x: [T, B, K, D].
        size: [T, B, K].
        live: [T, B, K].
        source: [B, gamma], from `choose_sources`.
    """
    keep = surviving(source, x.shape[-2])
    target = _targets(x, live, _mask(source, x.shape[-2]))  # [T, B, K]
    merged_x, merged_size = _added(x, size, keep, target)
    kept_live = live.gather(-1, keep.expand(live.shape[0], -1, -1))
    return Merged(merged_x, merged_size, kept_live, keep, _slots(target, keep))


def merge_similar(x: Tensor, size: Tensor, live: Tensor, source: Tensor) -> Merged:
    """Merge `source` as `merge` does; its slots stay: dead, zero vectors of the size they had.

    Args:
        x: [T, B, K, D].
        size: [T, B, K].
        live: [T, B, K].
        source: bool [B, K], from `similar_sources`.
    """
    keep = torch.arange(x.shape[-2], device=x.device).expand(source.shape[0], -1)
    target = _targets(x, live, source)
    merged_x, merged_size = _added(x, size, keep, target)
    merged_size = torch.where(source, size, merged_size)
    return Merged(merged_x, merged_size, live * ~source, keep, target)


def _added(x: Tensor, size: Tensor, keep: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors and sizes of what goes to each kept position: [T, B, K', D] and [T, B, K']."""
    pairs = (keep.unsqueeze(-1) == target.unsqueeze(-2)).float()  # [T, B, K', K]
    with torch.autocast(x.device.type, enabled=False):
        merged_x = (pairs @ x.float()).to(x.dtype)
        merged_size = (pairs @ size.unsqueeze(-1)).squeeze(-1)
    return merged_x, merged_size


def _slots(target: Tensor, keep: Tensor) -> Tensor:
    """Old positions [T, B, K], or -1, as slots among the surviving ones `keep` [B, K']."""
    slots = torch.searchsorted(keep.expand(target.shape[0], -1, -1).contiguous(), target)
    return torch.where(target >= 0, slots, -1)


def surviving(source: Tensor, tokens: int) -> Tensor:
    """Positions not in `source` [B, gamma]: int64 [B, tokens - gamma], ascending."""
    removed = _mask(source, tokens)
    return removed.sort(dim=-1, stable=True).indices[:, : tokens - source.shape[-1]]


def _mask(source: Tensor, tokens: int) -> Tensor:
    """Positions [B, gamma] as bool [B, tokens]."""
    mask = torch.zeros(source.shape[0], tokens, dtype=torch.bool, device=source.device)
    return mask.scatter(-1, source, True)


def _targets(x: Tensor, live: Tensor, source: Tensor) -> Tensor:
    """Where each position's vector goes [T, B, K]: itself, a partner, or -1 for nowhere.

    `source` is bool [B, K].
    """
    similar = similarity(x.detach(), live)
    best, partner = similar.amax(-1), similar.argmax(-1)  # [T, B, ceil(K/2)]
    merges = (live[..., ::2] > 0) & (best > NO_PARTNER)
    stays = torch.arange(x.shape[-2], device=x.device).expand(live.shape)
    goes_to = stays.clone()
    goes_to[..., ::2] = torch.where(merges, 2 * partner + 1, -1)
    return torch.where(source, goes_to, stays)
