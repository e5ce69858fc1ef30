"""Two-dimensional token halting as pure functions on tensors (AT-SNN 3.2, STAS 3.2).

Per token k, block l, timestep t, with x the token after block l and `size` the number of original
tokens merged into it:

    h = sigmoid(alpha * x[0] / size + beta)
    hist_l(t) = sum over t' <= t of h^{l,t'}          C(l, t) = sum over l' <= l of hist_{l'}(t)
    the token halts at N, the first l with C(l, t) >= 1 - epsilon, or L
    p^{l,t} = h for l < N,  1 - C(N-1, t) for l = N,  0 after        (Graves' ACT remainder)

Axes: T timesteps, B images, K tokens, D embedding. `live` is 1 where the token is alive. The time
axis comes first and may have length 1 where nothing depends on time yet.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spikehalt.exits import single
from train.config import HaltingMode


class HaltStep(NamedTuple):
    """What one block's halting decides, for all timesteps at once; each [T, B, K] float32.

    Attributes:
        p: weight of the token in the readout of this block; 0 for absent tokens.
        h: halting score; 0 for absent tokens.
        cum: C(l, t), the prefix sum over blocks 1..l.
        live: 1 where the token goes on into the next block.
        halts: 1 where the token halts in this block.
    """

    p: Tensor
    h: Tensor
    cum: Tensor
    live: Tensor
    halts: Tensor


def halting_score(x: Tensor, size: Tensor, live: Tensor, alpha: float, beta: float) -> Tensor:
    """Scores h = sigmoid(alpha * x[0] / size + beta), 0 for absent tokens (AT-SNN eq. 3).

    Args:
        x: tokens [T, B, K, D].
        size: original tokens merged into each [T, B, K].
        live: [T, B, K].
        alpha: slope.
        beta: offset.
    """
    return torch.sigmoid(alpha * x[..., 0].float() / size + beta) * live


def history(h: Tensor, mode: HaltingMode) -> Tensor:
    """hist_l(t): the running sum of h [T, B, K] over timesteps, or h itself in mode `block`.

    Added step by step in float32, the order in which a deployed graph adds.
    """
    if mode != "block_time":
        return h
    total, running = [], torch.zeros_like(h[0])
    for step in h:
        running = running + step
        total.append(running)
    return torch.stack(total)


def halt(
    h: Tensor, cum: Tensor, live: Tensor, *, epsilon: Tensor | float, mode: HaltingMode, last: bool
) -> HaltStep:
    """Decide which tokens halt in this block (AT-SNN eq. 4-6).

    Args:
        h: scores of this block [T, B, K], from `halting_score`.
        cum: C(l-1, t) [T, B, K].
        live: tokens that ran in this block [T, B, K].
        epsilon: a token halts once C(l, t) >= 1 - epsilon.
        mode: `block` or `block_time`.
        last: whether this is block L, where every token that is left halts.
    """
    cum_next = cum + history(h, mode)
    reached = torch.ones_like(cum_next) if last else (cum_next >= bound(epsilon)).to(h.dtype)
    halts = reached * live
    p = live * torch.where(reached > 0, 1 - cum, h)
    return HaltStep(p, h, cum_next, live - halts, halts)


def bound(epsilon: Tensor | float) -> Tensor | float:
    """1 - epsilon, rounded to float32 after each step as deployed graphs do; not once from float64.

    The two differ in the last bit for two margins in five.
    """
    if isinstance(epsilon, Tensor):
        return 1 - epsilon.float()
    return single(1.0 - single(epsilon))


def readout(p: Tensor, x: Tensor) -> Tensor:
    """(1 / K) sum_k p_k x_k: p [T, B, K], x [T, B, K, D] -> [T, B, D] (eq. 7)."""
    with torch.autocast(x.device.type, enabled=False):  # the readout is float32, design section 6
        weighted = p.unsqueeze(-2) @ x.float()  # [T, B, 1, D]
    return weighted.squeeze(-2) / x.shape[-2]


def ponder_cost(
    steps: list[HaltStep], *, weight_by_time: bool = False, straight_through: float = 0.0
) -> Tensor:
    """Each image's mean over timesteps and tokens of (blocks run + remainder), Graves' ponder cost.

    Args:
        steps: one `HaltStep` per block; token counts may shrink by merging.
        weight_by_time: AT-SNN's NB weighting, t * (N - 1) + 1 in place of N blocks run.
        straight_through: width of the straight-through gradient of the blocks run; 0 = none.

    Returns:
        [B]. Gradients reach the scores through the remainder: those of blocks before N alone, so
        that a token which halts in block 1 has none. With `straight_through` they also pass the
        decision of every block that ran, as if a token went on by sigmoid((1 - C) / width).
    """
    total = torch.zeros(steps[0].p.shape[1], device=steps[0].p.device)
    for index, step in enumerate(steps):
        ran = step.live + step.halts  # [T, B, K]
        if weight_by_time and index > 0:
            times = torch.arange(1, ran.shape[0] + 1, device=ran.device).view(-1, 1, 1)
            ran = ran * times
        cost = ran + step.p * step.halts
        if straight_through and index < len(steps) - 1:
            goes_on = torch.sigmoid((1 - step.cum) / straight_through)
            cost = cost + (step.live + step.halts) * (goes_on - goes_on.detach())
        total = total + cost.sum(-1).mean(0) / steps[0].p.shape[-1]
    return total


def tokens_used(steps: list[HaltStep]) -> Tensor:
    """Each image's live tokens over K_1, averaged over blocks and timesteps, [B] in [0, 1]."""
    ran = [(step.live + step.halts).sum(-1).mean(0) for step in steps]
    return torch.stack(ran).mean(0) / steps[0].p.shape[-1]


def halt_score(cum: Tensor) -> Tensor:
    """mean_k C(L, t): [T, B, K] -> [T, B]; grows with t and is not clamped."""
    return cum.mean(-1)
