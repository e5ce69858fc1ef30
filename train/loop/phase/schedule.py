"""Learning rate over steps, the order of images, and which parameters decay."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def cosine_with_warmup(
    steps: int, warmup_fraction: float, final_fraction: float = 0.0
) -> Callable[[int], float]:
    """Factor on the peak rate: linear rise, then half a cosine down to `final_fraction`."""
    warmup = max(1, round(steps * warmup_fraction))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, steps - warmup)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return final_fraction + (1 - final_fraction) * fall

    return factor


def derived_seed(*parts: object) -> int:
    """A seed that depends on every one of `parts` and on nothing else."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big")


def shuffled(count: int, seed: int, phase: str, epoch: int) -> Tensor:
    """The order of training images in an epoch, the same in a resumed run."""
    generator = torch.Generator().manual_seed(derived_seed(seed, phase, epoch))
    return torch.randperm(count, generator=generator)


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and batch normalisation do not."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
