"""Choosing thresholds (and ε) for a goal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from runtime.bundle import ExitSpec, Manifest
from runtime.calibration import risk
from runtime.calibration.evidence import Observed, Point
from runtime.calibration.goal import Goal
from runtime.errors import CalibrationError, PolicyError
from spikehalt.exits import NEVER, POLICIES, calibrated_names
from spikehalt.strict import unknown_name

MAX_LEVELS = 32


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a calibration found.

    Attributes:
        goal: what was asked for.
        reference: all timesteps at the bundle's ε, what drops are measured against.
        chosen: per policy the best point that reaches the goal; all at the same ε.
        default: the policy that reaches it at the least cost.
        levels: settings of the default policy within the goal, most accurate first; what
            `Engine(latency_ms=…)` moves between.
        curves: per policy every point looked at, at the chosen ε.
    """

    goal: Goal
    reference: Point
    chosen: dict[str, Point]
    default: str
    levels: tuple[Point, ...]
    curves: dict[str, list[Point]]

    @property
    def best(self) -> Point:
        """The point of the default policy."""
        return self.chosen[self.default]

    def apply(self, manifest: Manifest, data: str = "") -> Manifest:
        """The manifest with the thresholds (and ε) filled in.

        Args:
            manifest: of the bundle.
            data: where the images came from, for the record.
        """
        thresholds: dict[str, Any] = {name: point.threshold for name, point in self.chosen.items()}
        spec = ExitSpec(default=self.default, calibration=self.record(data), **thresholds)  # type: ignore[arg-type]
        halting = dataclasses.replace(manifest.halting, epsilon=self.best.epsilon)
        return dataclasses.replace(manifest, exit=spec, halting=halting)

    def record(self, data: str = "") -> dict[str, Any]:
        """How the thresholds were found, as plain JSON values."""
        return {
            "data": data,
            "method": self.goal.method,
            "goal": asdict(self.goal),
            "reference": asdict(self.reference),
            "chosen": {name: asdict(point) for name, point in self.chosen.items()},
            "levels": [asdict(point) for point in self.levels],
        }


def calibrate(
    manifest: Manifest,
    observed: Sequence[Observed],
    goal: Goal,
    policies: Sequence[str] | None = None,
) -> Calibration:
    """Find, per policy, the cheapest threshold that reaches a goal.

    With several ε, the ε of the cheapest (policy, ε, threshold) is taken for all policies.

    Args:
        manifest: of the bundle.
        observed: the same images at one or more ε; the first is the reference.
        goal: what to reach. A promise with confidence is shared among all policies and ε looked
            at (Bonferroni), since the best of them is picked afterwards.
        policies: which to calibrate; None: all the bundle can follow.

    Raises:
        PolicyError: no policy, an unknown one, or one that the bundle cannot follow.
        CalibrationError: no setting reaches the goal, or too few images for the promise.
    """
    names = calibrated_names(manifest.halting.mode) if policies is None else list(policies)
    _check_policies(names, manifest)
    reference = observed[0].correct[:, -1]
    curves = {
        (name, number): each.curve(name, reference)
        for number, each in enumerate(observed)
        for name in names
    }
    delta = _share(goal, len(curves), len(reference))
    found = {key: _choose(curve, goal, delta) for key, curve in curves.items()}
    reached = {key: point for key, point in found.items() if point is not None}
    if not reached:
        raise CalibrationError(_unreachable(goal, curves.values()))
    default, number = min(reached, key=lambda key: reached[key].cost)
    sequences = [(curves[key], point) for key, point in reached.items() if key[0] == default]
    return Calibration(
        goal=goal,
        reference=observed[0].point(NEVER.name, None, reference),
        chosen={name: reached[name, number] for name in names if (name, number) in reached},
        default=default,
        levels=_levels(sequences, reached[default, number], goal),
        curves={name: curves[name, number] for name in names},
    )


def _check_policies(names: Sequence[str], manifest: Manifest) -> None:
    mode = manifest.halting.mode
    usable = calibrated_names(mode)
    if not names:
        raise PolicyError(f"no policy to calibrate: name some of {', '.join(usable)}, or pass None")
    for name in names:
        if name in POLICIES and not POLICIES[name].fits(mode):
            raise PolicyError(f'policy "{name}" needs a model trained with halting')
        if name not in usable:
            raise PolicyError(unknown_name("policy with a threshold", name, usable))


def _share(goal: Goal, sequences: int, images: int) -> float:
    """δ of one sequence of tests; 0 where nothing is promised."""
    if goal.confidence is None or goal.max_drop is None:
        return 0.0
    delta = (1.0 - goal.confidence) / sequences
    needed = risk.images_needed(goal.max_drop, delta, goal.rule)
    if images < needed:
        raise CalibrationError(
            f"{images} images cannot support a drop of at most {goal.max_drop:.2%} with confidence "
            f"{goal.confidence:g} over {sequences} choice(s) of policy and ε: give at least "
            f"{needed} images, fewer policies, or allow a larger drop"
        )
    return delta


def _choose(curve: list[Point], goal: Goal, delta: float) -> Point | None:
    if goal.confidence is not None and goal.max_drop is not None:
        return risk.last_safe(curve, goal.max_drop, delta, goal.rule)
    within = [point for point in curve if _within(point, goal)]
    if goal.timesteps is not None:
        return max(within, key=lambda point: (point.accuracy, -point.cost), default=None)
    return min(within, key=lambda point: (point.cost, -point.accuracy), default=None)


def _within(point: Point, goal: Goal) -> bool:
    """Whether a point reaches the goal on the calibration images."""
    if goal.timesteps is not None:
        return point.average_timesteps <= goal.timesteps
    assert goal.max_drop is not None
    return point.drop <= goal.max_drop


def _unreachable(goal: Goal, curves: Any) -> str:
    points = [point for curve in curves for point in curve]
    if goal.timesteps is not None:
        least = min(point.average_timesteps for point in points)
        return f"no threshold gives {goal.timesteps:g} timesteps on average, the least is {least:g}"
    least = min(point.drop for point in points)
    return f"no threshold keeps the drop within {goal.max_drop:.2%}, the least is {least:.2%}"


def _levels(
    sequences: Sequence[tuple[list[Point], Point]], best: Point, goal: Goal
) -> tuple[Point, ...]:
    """Settings within the goal, from the most accurate to the best: each is cheaper than the last.

    Args:
        sequences: a curve for every ε, and the point chosen on it; points before it are as safe.
        best: the chosen point of all curves; the last level.
        goal: what must hold.
    """
    safe = [
        point
        for curve, chosen in sequences
        for point in curve[: curve.index(chosen) + 1]
        if _within(point, goal)
    ]
    kept = [best]
    for point in sorted(safe, key=lambda point: (point.cost, -point.accuracy)):
        if point.cost > kept[-1].cost and point.accuracy > kept[-1].accuracy:
            kept.append(point)
    kept.reverse()
    picks = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MAX_LEVELS)).round().astype(int))
    return tuple(kept[pick] for pick in picks)
