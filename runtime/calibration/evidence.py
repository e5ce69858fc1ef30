"""What recorded trajectories of labelled images say about a policy and a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Manifest
from runtime.errors import CalibrationError
from runtime.results import estimate
from runtime.results.scores import first_exit
from runtime.results.trajectory import Trajectory
from spikehalt.exits import POLICIES

Bools = NDArray[np.bool_]
Steps = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Point:
    """How one setting does on the calibration images.

    Attributes:
        policy: a name in `spikehalt.exits.POLICIES`.
        threshold: None for a policy without one.
        epsilon: ε the images ran with.
        images: how many there were.
        accuracy: share of right answers.
        harmful: images the reference (all timesteps) got right and this setting gets wrong.
        helpful: images the reference gets wrong and this setting gets right.
        average_timesteps: executed timesteps per image.
        average_tokens: live tokens over K_0, averaged over blocks and executed timesteps.
        energy_mj: estimated, per image; None if the bundle has no constants.
        time_ms: per image, as measured while recording; None if it was not.
    """

    policy: str
    threshold: float | None
    epsilon: float
    images: int
    accuracy: float
    harmful: int
    helpful: int
    average_timesteps: float
    average_tokens: float
    energy_mj: float | None
    time_ms: float | None

    @property
    def drop(self) -> float:
        """Accuracy lost against the reference; negative if some was gained."""
        return (self.harmful - self.helpful) / self.images

    @property
    def cost(self) -> float:
        """What calibration minimises: energy where it is known, else tokens computed."""
        if self.energy_mj is not None:
            return self.energy_mj
        return self.average_timesteps * self.average_tokens


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Recorded trajectories of labelled images at one ε.

    Attributes:
        manifest: of the bundle.
        trajectory: outputs at every exit point.
        labels: int64 [B], the right answers.
        epsilon: ε the images ran with.

    Raises:
        CalibrationError: labels and images differ in number, or there are none.
    """

    manifest: Manifest
    trajectory: Trajectory
    labels: NDArray[np.int64]
    epsilon: float

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.trajectory) or len(self.labels) == 0:
            raise CalibrationError(
                f"{len(self.trajectory)} images and {len(self.labels)} labels: calibration needs "
                "one label per image, and at least one image"
            )

    @cached_property
    def correct(self) -> Bools:
        """Bool [B, S]: whether the answer at every exit point is right."""
        return np.asarray(self.trajectory.labels == self.labels[:, None], dtype=np.bool_)

    @cached_property
    def timesteps(self) -> Steps:
        """int64 [S]: timesteps executed at every exit point."""
        points = np.arange(1, self.correct.shape[1] + 1)
        return np.asarray(points * self.manifest.chunk, dtype=np.int64)

    @cached_property
    def average_tokens(self) -> Doubles:
        """float64 [B, S]: average tokens of an image that leaves at every exit point."""
        per_timestep = self.trajectory.live_tokens.sum(axis=2, dtype=np.float64)  # [B, T]
        until = np.cumsum(per_timestep, axis=1)[:, self.timesteps - 1]
        return np.asarray(until / (self.timesteps * self.manifest.blocks * self.manifest.tokens))

    @cached_property
    def energy_mj(self) -> Doubles | None:
        """float64 [B, S]: estimated energy of an image that leaves at every exit point."""
        spec = self.manifest.energy
        if spec is None:
            return None
        live = self.trajectory.live_tokens
        columns = [
            estimate.energy_mj(spec, live[:, :steps], np.full(len(live), steps))
            for steps in self.timesteps
        ]
        return np.stack(columns, axis=1)

    @cached_property
    def time_ms(self) -> Doubles | None:
        """float64 [S]: time per image up to every exit point."""
        times = self.trajectory.chunk_ms
        return None if times is None else np.cumsum(times)

    @cached_property
    def _scores(self) -> dict[str, NDArray[np.float32]]:
        return {}

    def _exits(self, policy: str, threshold: float | None) -> NDArray[np.int64]:
        """int64 [B]; the scores are computed once per policy, not once per threshold."""
        if threshold is None:
            return self.trajectory.exits(policy, threshold)
        if policy not in self._scores:
            self._scores[policy] = self.trajectory.scores(policy)
        return first_exit(policy, self._scores[policy], threshold)

    def point(self, policy: str, threshold: float | None, reference: Bools) -> Point:
        """How a setting does.

        Args:
            policy: a name in `spikehalt.exits.POLICIES`.
            threshold: None for a policy without one.
            reference: bool [B], which images the reference gets right.
        """
        exits = self._exits(policy, threshold)
        rows = np.arange(len(exits))
        correct = self.correct[rows, exits]
        energy, time = self.energy_mj, self.time_ms
        return Point(
            policy=policy,
            threshold=threshold,
            epsilon=self.epsilon,
            images=len(exits),
            accuracy=float(correct.mean()),
            harmful=int((reference & ~correct).sum()),
            helpful=int((~reference & correct).sum()),
            average_timesteps=float(self.timesteps[exits].mean()),
            average_tokens=float(self.average_tokens[rows, exits].mean()),
            energy_mj=None if energy is None else float(energy[rows, exits].mean()),
            time_ms=None if time is None else float(time[exits].mean()),
        )

    def curve(self, policy: str, reference: Bools) -> list[Point]:
        """How a policy does at every threshold of its grid, safest first."""
        largest = float(self.manifest.blocks * self.manifest.timesteps)
        grid = POLICIES[policy].grid(largest)
        return [self.point(policy, threshold, reference) for threshold in grid]
