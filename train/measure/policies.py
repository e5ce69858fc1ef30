"""Exit policies on a trained network: thresholds from validation images, figures from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spikehalt.exits import MAX_DROP, POLICIES, PolicyName
from train.checkpoint import Checkpoint
from train.data import Dataset
from train.measure.exits import ExitPoint, exit_point, fewest_timesteps, record
from train.measure.splits import part_of
from train.parallel.devices import best_device


@dataclass(frozen=True)
class PolicyFigures:
    """A policy at its threshold and a halting margin."""

    epsilon: float
    point: ExitPoint


def evaluate_policies(
    checkpoint: Checkpoint,
    data: Dataset,
    policies: Sequence[PolicyName],
    *,
    split: str = "test",
    margins: Sequence[float] = (),
    max_drop: float = MAX_DROP,
    batch_size: int = 256,
) -> list[PolicyFigures]:
    """Every policy at every halting margin.

    Args:
        checkpoint: the network; where it never halts, the policy `halting` is left out.
        data: its images.
        policies: to try.
        split: where the figures come from; thresholds come from `validation`.
        margins: epsilon of STAS^epsilon; none = the configured one.
        max_drop: share of accuracy that a policy's threshold may lose on validation images.
        batch_size: images at once.
    """
    device = best_device()
    network, data = checkpoint.network().to(device), data.to(device)
    found = []
    for epsilon in margins or (checkpoint.model.halting.epsilon,):
        seen, reported = (
            record(network, part, batch_size=batch_size, epsilon=epsilon)
            for part in (part_of(data, "validation"), part_of(data, split))
        )
        for policy in policies:
            if not POLICIES[policy].fits(checkpoint.model.halting.mode):
                continue  # no token ever halts, so the score says nothing
            chosen = fewest_timesteps(seen, policy, max_drop)
            point = exit_point(reported, chosen.policy, chosen.threshold)
            found.append(PolicyFigures(epsilon, point))
    return found
