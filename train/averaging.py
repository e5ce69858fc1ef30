"""One network from several: the mean of their weights (model soups, Wortsman et al. 2022).

Networks that were trained from the same weights lie in one valley of the loss. There

    w = 1/n sum_i w_i

is often more accurate than each of them, and costs no more to run; batch normalisation's statistics
are averaged too. Networks that began apart have nothing in common, and their mean knows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spikehalt.console import few
from spikehalt.strict import differences, to_dict
from train.checkpoint import Checkpoint
from train.config import require


def averaged(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The first checkpoint with the mean of all weights, finished and without figures.

    Raises:
        ConfigError: they are fewer than two, or networks, classes or images' preparation differ.
        CheckpointError: weights and configuration of one do not belong together.
    """
    require(len(checkpoints) >= 2, "an average is made of two checkpoints or more: name another")
    first = checkpoints[0]
    for other in checkpoints[1:]:
        _check_alike(first, other)
    states = [each.network().state_dict() for each in checkpoints]
    weights = {name: _mean([state[name] for state in states]) for name in states[0]}
    return replace(first, weights=weights, metrics={}, training=None)


def _check_alike(first: Checkpoint, other: Checkpoint) -> None:
    found = differences(_shape(first), _shape(other))
    told = [f"{key} is {ours} and {theirs}" for key, (ours, theirs) in found.items()]
    require(not told, f"only networks that are built alike have an average: {few(told, 3)}")


def _shape(checkpoint: Checkpoint) -> dict[str, object]:
    return {
        "model": to_dict(checkpoint.model),
        "preprocessing": to_dict(checkpoint.preprocessing),
        "classes": ", ".join(checkpoint.classes),
    }


def _mean(values: Sequence[Tensor]) -> Tensor:
    """In float64, so that the order changes nothing; counters are the first's."""
    if not values[0].is_floating_point():
        return values[0]
    return torch.stack([each.double() for each in values]).mean(0).to(values[0].dtype)
