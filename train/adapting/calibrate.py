"""Slope and offset of the halting scores: the share of tokens that is asked for, the best logits.

At the margin EPSILON a network runs that share; smaller margins keep more tokens, larger ones
fewer, by a factor of ten in the score either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from train import halting
from train.adapting.fit import BATCH, Entered, divergence
from train.errors import TrainError
from train.models.network import SpikingTransformer
from train.parallel.devices import exact_float32

EPSILON = 0.9
SLOPES = (1.0, 3.0, 9.0)
# Images on which slopes are compared; the offset of the best is found on all.
_FEW = 64
# How near to the wanted share an offset has to come, on few images and on all; halvings at most.
_NEAR, _FEW_NEAR, _HALVINGS = 0.004, 0.01, 12
# Offsets beyond which sigmoids are 0 and 1 whatever the certainty's spread.
_WIDEST = 30.0


@dataclass(frozen=True)
class Calibrated:
    """A slope and an offset, and what they do to the images.

    Attributes:
        alpha: slope.
        beta: offset.
        tokens: live tokens over all tokens.
        divergence: of the logits from those of the network without halting, in nats.
        agreement: share of the images whose best class is the same.
    """

    alpha: float
    beta: float
    tokens: float
    divergence: float
    agreement: float


def calibrate(network: SpikingTransformer, entered: Entered, tokens: float) -> Calibrated:
    """Set slope and offset of a network with forecasts.

    Raises:
        TrainError: so few tokens cannot be had, as all run in block 1.
    """
    least = 1 / network.config.depth
    if not least < tokens < 1:
        raise TrainError(
            f"tokens is {tokens:g}, must be above {least:.3g} (block 1 of {network.config.depth} "
            "runs them all) and below 1"
        )
    few = entered.first(_FEW)
    tried = [
        _halve(network, few, tokens, alpha, _bounds(network, few, alpha), _FEW_NEAR)
        for alpha in SLOPES
    ]
    best = min(tried, key=lambda each: each.divergence)
    around = best.beta - 1, best.beta + 1
    found = _halve(network, entered, tokens, best.alpha, around, _NEAR)
    set_scores(network, found.alpha, found.beta)
    return found


def set_scores(network: SpikingTransformer, alpha: float, beta: float) -> None:
    """Change slope and offset, and let the margin be EPSILON."""
    scores = replace(network.config.halting, alpha=alpha, beta=beta, epsilon=EPSILON)
    network.config = replace(network.config, halting=scores)
    assert network.forecasts is not None
    network.forecasts.config = scores


def _halve(
    network: SpikingTransformer,
    entered: Entered,
    tokens: float,
    alpha: float,
    between: tuple[float, float],
    near: float,
) -> Calibrated:
    """The offset at which as many tokens run; those of a smaller offset are never fewer."""
    low, high = between
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = measure(network, entered, alpha, middle)
        if abs(found.tokens - tokens) <= near:
            break
        low, high = (middle, high) if found.tokens > tokens else (low, middle)
    return found


@torch.no_grad()
def _bounds(network: SpikingTransformer, entered: Entered, alpha: float) -> tuple[float, float]:
    """Offsets between which the right one lies: scores of the entering tokens' own spread."""
    assert network.forecasts is not None
    x = network.blocks[0](entered.tokens[:, :BATCH], None).float()
    certain = alpha * network.forecasts.certainties[0](x)
    return -float(certain.max()) - _WIDEST / 3, -float(certain.min()) + _WIDEST / 3


@torch.no_grad()
@exact_float32()
def measure(network: SpikingTransformer, entered: Entered, alpha: float, beta: float) -> Calibrated:
    """What a slope and an offset do to the images."""
    set_scores(network, alpha, beta)
    logits, used = [], []
    for batch in entered.tokens.split(BATCH, 1):
        output = network.classify(batch)
        logits.append(output.logits)
        used.append(halting.tokens_used(output.steps))
    found = torch.cat(logits, 1)
    same = found[-1].argmax(-1) == entered.logits[-1].argmax(-1)
    return Calibrated(
        alpha, beta, _mean(torch.cat(used)), divergence(found, entered.logits), _mean(same)
    )


def _mean(values: Tensor) -> float:
    return float(values.double().mean())
