"""Exit policies on a trained network: thresholds from validation images, figures from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spikehalt.console import note
from spikehalt.exits import POLICIES, PolicyName
from train.checkpoint import Checkpoint
from train.data import Dataset
from train.errors import DataError
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
    max_drop: float = 0.003,
    batch_size: int = 256,
) -> list[PolicyFigures]:
    """Every policy at every halting margin.

    Args:
        checkpoint: the network; where it never halts, the policy `halting` is left out.
        data: its images.
        policies: to try.
        split: where the figures come from; thresholds come from `validation`, and without such
            images only `never`, which has none, is evaluated.
        margins: epsilon of STAS^epsilon; none = the configured one.
        max_drop: share of accuracy that a policy's threshold may lose on validation images.
        batch_size: images at once.
    """
    policies = _without_thresholds(policies) if not len(data.validation) else policies
    device = best_device()
    network, data = checkpoint.network().to(device), data.to(device)
    source = "validation" if len(data.validation) else split
    found = []
    for epsilon in margins or (checkpoint.model.halting.epsilon,):
        traces = {
            name: record(network, part_of(data, name), batch_size=batch_size, epsilon=epsilon)
            for name in {source, split}
        }
        seen, reported = traces[source], traces[split]
        for policy in policies:
            if not POLICIES[policy].fits(checkpoint.model.halting.mode):
                continue  # no token ever halts, so the score says nothing
            chosen = fewest_timesteps(seen, policy, max_drop)
            point = exit_point(reported, chosen.policy, chosen.threshold)
            found.append(PolicyFigures(epsilon, point))
    return found


def _without_thresholds(policies: Sequence[PolicyName]) -> list[PolicyName]:
    """Those that can be evaluated where no images are there to choose thresholds by.

    Raises:
        DataError: none of them can.
    """
    rest = [policy for policy in policies if not POLICIES[policy].has_threshold]
    lost = ", ".join(policy for policy in policies if policy not in rest)
    why = f"there are no validation images to choose the thresholds of {lost} by"
    if not rest:
        raise DataError(f"{why}; ask for --policy never")
    if lost:
        note(f"{why}; every image runs all timesteps")
    return rest
