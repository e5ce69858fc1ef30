"""What became of every patch of an image: in which blocks and timesteps a token of it still ran."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from train.config import ModelConfig
from train.models.network import ModelOutput


class Fates(NamedTuple):
    """How many tokens went where, per timestep and block, float64 [T, L]; they add up to K_0.

    Attributes:
        live: ran in the block.
        halted: halted in an earlier block.
        merged: in an earlier block or at this one's start, merged into another token.
    """

    live: Tensor
    halted: Tensor
    merged: Tensor


def patches_alive(output: ModelOutput, config: ModelConfig) -> Tensor:
    """Whether the token that holds each patch ran, float [L, T, B, K_0].

    A merged patch lives in the token it was merged into; one that disappeared is gone.
    """
    steps, images = output.live[0].shape[:2]
    slots = torch.arange(config.tokens, device=output.live[0].device).expand(steps, images, -1)
    moves = iter(output.moved)
    alive = []
    for live, merges in zip(output.live, config.merging, strict=True):
        if merges:
            moved = next(moves).expand(steps, -1, -1)
            there = moved.gather(-1, slots.clamp_min(0))
            slots = torch.where(slots >= 0, there, -1)
        alive.append(live.gather(-1, slots.clamp_min(0)) * (slots >= 0))
    return torch.stack(alive)


def fates(output: ModelOutput, config: ModelConfig) -> Fates:
    """Mean counts over the images."""
    live, halted, merged = [], [], []
    arrived = torch.ones_like(output.live[0][..., :1]).expand(-1, -1, config.tokens)
    gone = torch.zeros(config.timesteps, dtype=torch.float64)  # merged while alive
    for index, here in enumerate(output.live):
        now = _count(here)
        gone = gone + _count(arrived) - now
        live.append(now)
        merged.append(gone)
        halted.append(config.tokens - now - gone)
        arrived = output.steps[index].live if output.steps else here
    return Fates(*(torch.stack(column, -1) for column in (live, halted, merged)))


def _count(live: Tensor) -> Tensor:
    """Tokens per timestep [T], the mean over images."""
    return live.sum(-1).mean(1).double().cpu()
