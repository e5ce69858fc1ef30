"""Exit policies on a trained network: thresholds from validation images, figures from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from torch import Tensor

from spikehalt.console import note
from spikehalt.exits import MAX_DROP, POLICIES, PolicyName
from train.checkpoint import Checkpoint
from train.data import Dataset
from train.errors import DataError
from train.measure.adaptivity import (
    Adaptivity,
    adaptivity,
    computation,
    exit_histogram,
    standard_error,
)
from train.measure.exits import (
    ExitPoint,
    Trace,
    exit_point,
    exit_steps,
    fewest_timesteps,
    record,
)
from train.measure.splits import part_of
from train.parallel.devices import best_device


@dataclass(frozen=True)
class PolicyFigures:
    """A policy at its threshold and a halting margin.

    Attributes:
        epsilon: the margin.
        merge_threshold: similarity from which tokens merge; 0 where a threshold merges none.
        point: the policy and its figures.
        standard_error: of the accuracy.
        accuracy_at_t: of all images after each timestep 1..T, without exits.
        exits: share of images that leave after each timestep 1..T.
        adaptivity: how computation depends on the image; None without a static network.
    """

    epsilon: float
    merge_threshold: float
    point: ExitPoint
    standard_error: float
    accuracy_at_t: tuple[float, ...]
    exits: tuple[float, ...]
    adaptivity: Adaptivity | None


def evaluate_policies(
    checkpoint: Checkpoint,
    data: Dataset,
    policies: Sequence[PolicyName],
    *,
    split: str = "test",
    margins: Sequence[float] = (),
    merge_thresholds: Sequence[float] = (),
    max_drop: float = MAX_DROP,
    batch_size: int = 256,
    static: Checkpoint | None = None,
) -> list[PolicyFigures]:
    """Every policy at every threshold of merging and halting margin.

    Args:
        checkpoint: the network; where it never halts, the policy `halting` is left out.
        data: its images.
        policies: to try.
        split: where the figures come from; thresholds come from `validation`, and without such
            images only `never`, which has none, is evaluated.
        margins: epsilon of STAS^epsilon; none = the configured one.
        merge_thresholds: similarities from which tokens merge, 0 for no merging, in place of what
            is configured; none = that.
        max_drop: share of accuracy that a policy's threshold may lose on validation images.
        batch_size: images at once.
        static: the static network, whose confidence says how hard an image is.
    """
    policies = _without_thresholds(policies) if not len(data.validation) else policies
    # Where no token ever halts, the score says nothing.
    policies = [each for each in policies if POLICIES[each].fits(checkpoint.model.halting.mode)]
    device = best_device()
    data = data.to(device)
    source = "validation" if len(data.validation) else split
    confidence = None
    if static is not None:
        reported = record(static.network().to(device), part_of(data, split), batch_size=batch_size)
        confidence = reported.confidence[-1]
    models = [checkpoint.model.merged_at(each) for each in merge_thresholds] or [checkpoint.model]
    found = []
    for model, epsilon in product(models, margins or (checkpoint.model.halting.epsilon,)):
        network = replace(checkpoint, model=model).network().to(device)
        traces = {
            name: record(network, part_of(data, name), batch_size=batch_size, epsilon=epsilon)
            for name in {source, split}
        }
        for policy in policies:
            chosen = fewest_timesteps(traces[source], policy, max_drop)
            knobs = (epsilon, model.merge_threshold)
            found.append(_figures(knobs, traces[split], chosen, confidence))
    return found


def _without_thresholds(policies: Sequence[PolicyName]) -> list[PolicyName]:
    """The policies that need no threshold, where there are no validation images to choose one by.

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


def _figures(
    knobs: tuple[float, float], reported: Trace, chosen: ExitPoint, confidence: Tensor | None
) -> PolicyFigures:
    """A policy at the threshold that was chosen on other images, at a margin and a similarity."""
    point = exit_point(reported, chosen.policy, chosen.threshold)
    steps = exit_steps(reported, chosen.policy, chosen.threshold)
    timesteps, images = reported.correct.shape
    used = computation(reported, steps)
    return PolicyFigures(
        epsilon=knobs[0],
        merge_threshold=knobs[1],
        point=point,
        standard_error=standard_error(point.accuracy, images),
        accuracy_at_t=tuple(reported.correct.double().mean(-1).tolist()),
        exits=exit_histogram(steps, timesteps),
        adaptivity=None if confidence is None or images < 2 else adaptivity(used, confidence),
    )
