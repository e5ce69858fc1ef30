"""What an image pays for its blocks: one price for all, one by certainty, or one by a budget.

The ponder loss is mean_i price_i * cost_i, with cost_i of `train.halting.ponder_cost`. With one
price for all (the papers') every image learns the same depth. Here p_i is the probability that the
network gives to the true class of image i; neither it nor the price passes a gradient.

    one         price_i = 1
    certainty   price_i = p_i^a / mean(p^a)
    budget      price_i = clip((used_i - target_i) / slack, -1, 1)
                target_i = target * (1 + spread * (1 - 2 rank_i)), rank_i in [0, 1] of p_i
"""

from __future__ import annotations

import torch
from torch import Tensor

from train.config import LossConfig
from train.halting import HaltStep, ponder_cost, tokens_used

SLACK = 0.05  # of all tokens: so far from its target an image pays, or is paid, the whole price


def ponder_loss(steps: list[HaltStep], certainty: Tensor, config: LossConfig) -> Tensor:
    """Mean over images of price * ponder cost.

    Args:
        steps: one `HaltStep` per block.
        certainty: probability of the true class [B].
        config: which price.

    Returns:
        Scalar.
    """
    cost = ponder_cost(
        steps, weight_by_time=config.weight_by_time, straight_through=config.straight_through
    )
    return (image_prices(tokens_used(steps), certainty, config) * cost).mean()


@torch.no_grad()
def image_prices(used: Tensor, certainty: Tensor, config: LossConfig) -> Tensor:
    """The price of each image [B].

    Args:
        used: live tokens over all tokens, as `train.halting.tokens_used` [B].
        certainty: probability of the true class [B].
        config: which price.
    """
    if config.price == "certainty":
        return by_certainty(certainty, config.price_power)
    if config.price == "budget":
        return by_budget(used, certainty, config.token_target, config.token_spread)
    return torch.ones_like(certainty)


def by_certainty(certainty: Tensor, power: float) -> Tensor:
    """p^a over its mean in the batch: [B] -> [B] with mean 1."""
    raised = certainty**power
    return raised / raised.mean().clamp_min(torch.finfo(raised.dtype).tiny)


def by_budget(used: Tensor, certainty: Tensor, target: float, spread: float) -> Tensor:
    """Positive above an image's target, negative below it; the unsure have the higher targets.

    Args:
        used: live tokens over all tokens [B].
        certainty: probability of the true class [B].
        target: mean of the targets.
        spread: the least and the most sure image's targets lie this share above and below it.
    """
    rank = certainty.argsort().argsort() / max(1, len(certainty) - 1)
    targets = target * (1 + spread * (1 - 2 * rank))
    return ((used - targets) / SLACK).clamp(-1, 1)


def true_class_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """[B, N_c] logits to the probability of the true class [B]; of mixed labels their expectation.

    Args:
        logits: of one timestep.
        targets: class numbers int64 [B], or shares of classes [B, N_c].
    """
    probability = logits.detach().float().softmax(-1)
    if targets.ndim == 2:
        return (probability * targets).sum(-1)
    return probability.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
