"""Holding a latency or an energy instead of a threshold.

Calibration leaves a list of levels: settings (ε, threshold) within the promised accuracy, from the
most accurate to the cheapest. The controller moves a position along that list after every call and
never leaves it, so accuracy stays in the calibrated range whatever the load does.

- Latency: the position rises by 0.9 g after a call that was too slow and falls by 0.1 g after one
  that was not. It rests where one call in ten is too slow: the 90th percentile is the target
  (stochastic approximation of a quantile, Robbins and Monro 1951).
- Energy: the position moves by g · (energy / target − 1), so it rests where the mean is the target.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from runtime.bundle import Manifest
from runtime.early_exit.settings import Overrides, Settings, how_to_calibrate, resolve
from runtime.errors import BundleFormatError, PolicyError
from runtime.results.result import Result
from spikehalt.errors import ConfigError

Kind = Literal["latency_ms", "energy_mj"]

SLOW_SHARE = 0.1  # of calls above the target: its 90th percentile
_CROSSING_CALLS = 20  # bad calls that take the position from one end of the list to the other


@dataclass(frozen=True, kw_only=True)
class ControlState:
    """Where a controller stands.

    Attributes:
        kind: what is held, "latency_ms" or "energy_mj".
        target: its wanted value.
        level: current level, 0 is the most accurate.
        levels: how many there are.
        saturated: whether the cheapest level is in use and still too slow or too dear.
    """

    kind: Kind
    target: float
    level: int
    levels: int
    saturated: bool


class Controller:
    """Chooses the settings of the next call from what the last ones took.

    Args:
        kind: "latency_ms": p90 of a call's wall time; "energy_mj": mean estimated energy per image.
        target: its wanted value.
        levels: settings, most accurate first; at least one.
    """

    def __init__(self, kind: Kind, target: float, levels: Sequence[Settings]) -> None:
        self._kind: Kind = kind
        self._target, self._levels = target, tuple(levels)
        self._gain = max(len(levels) - 1, 1) / _CROSSING_CALLS
        self._position, self._too_much = 0.0, False
        self._lock = threading.Lock()

    @property
    def settings(self) -> Settings:
        """What the next call should run with."""
        with self._lock:
            return self._levels[self._level()]

    @property
    def state(self) -> ControlState:
        """Where the controller stands."""
        with self._lock:
            level, last = self._level(), len(self._levels) - 1
            return ControlState(
                kind=self._kind,
                target=self._target,
                level=level,
                levels=last + 1,
                saturated=level == last and self._too_much,
            )

    def owns(self, settings: Settings) -> bool:
        """Whether a call with these settings says something about the levels."""
        return settings in self._levels

    def observe(self, latency_ms: float, result: Result) -> None:
        """Learn what one call took.

        Args:
            latency_ms: wall time of the call.
            result: its answers.
        """
        if self._kind == "latency_ms":
            self.move(latency_ms)
        elif result.energy_mj is not None:
            self.move(float(np.mean(result.energy_mj)))

    def move(self, value: float) -> None:
        """Move after one value of what is held."""
        with self._lock:
            self._too_much = value > self._target
            if self._kind == "latency_ms":
                step = 1.0 - SLOW_SHARE if self._too_much else -SLOW_SHARE
            else:
                step = min(max(value / self._target - 1.0, -1.0), 1.0)
            position = self._position + self._gain * step
            self._position = min(max(position, 0.0), len(self._levels) - 1.0)

    def _level(self) -> int:
        """The position rounded up: when in doubt the target counts, accuracy is safe anyway."""
        return min(math.ceil(self._position - 1e-9), len(self._levels) - 1)


def make_controller(
    manifest: Manifest, latency_ms: float | None, energy_mj: float | None, asked: Overrides
) -> Controller | None:
    """The controller for a target, None without one.

    Args:
        manifest: of a calibrated bundle.
        latency_ms: wanted p90 of a call's wall time.
        energy_mj: wanted mean energy per image.
        asked: overrides; max_timesteps holds for every level.

    Raises:
        ConfigError: two targets, a target that is not positive, or a target beside a policy, a
            threshold or an ε, which it steers.
        PolicyError: the bundle has no calibrated levels.
    """
    targets = {"latency_ms": latency_ms, "energy_mj": energy_mj}
    given = {name: value for name, value in targets.items() if value is not None}
    if not given:
        return None
    if len(given) == 2:
        raise ConfigError("latency_ms and energy_mj exclude each other: give one")
    ((kind, target),) = given.items()
    _check_target(manifest, kind, target, asked)
    levels = [
        resolve(manifest, Overrides(max_timesteps=asked.max_timesteps, **level))
        for level in calibrated_levels(manifest)
    ]
    return Controller("latency_ms" if kind == "latency_ms" else "energy_mj", target, levels)


def calibrated_levels(manifest: Manifest) -> list[dict[str, Any]]:
    """Policy, threshold and ε of every level of a calibrated bundle, most accurate first.

    Raises:
        PolicyError: there are none.
        BundleFormatError: the record of the calibration is damaged.
    """
    levels = manifest.exit.calibration.get("levels")
    if not levels:
        raise PolicyError(
            f"{manifest.name} has no calibrated levels to steer between. {how_to_calibrate()}"
        )
    try:
        return [
            {name: level[name] for name in ("policy", "threshold", "epsilon")} for level in levels
        ]
    except (TypeError, KeyError) as error:
        raise BundleFormatError(
            f"exit.calibration.levels of {manifest.name} is damaged ({error!r}): calibrate again"
        ) from error


def _check_target(manifest: Manifest, kind: str, target: Any, asked: Overrides) -> None:
    steered = {"policy": asked.policy, "threshold": asked.threshold, "epsilon": asked.epsilon}
    beside = [name for name, value in steered.items() if value is not None]
    if beside:
        raise ConfigError(f"{kind} steers {', '.join(beside)} itself: give one or the other")
    number = isinstance(target, int | float) and not isinstance(target, bool)
    if not number or not 0.0 < target < math.inf:
        raise ConfigError(f"{kind} must be a positive number, not {target!r}")
    if kind == "energy_mj" and manifest.energy is None:
        raise ConfigError(f"{manifest.name} has no energy constants, so energy cannot be steered")
