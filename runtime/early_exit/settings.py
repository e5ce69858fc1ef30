"""The knobs of a call (policy, threshold, ε, timesteps), resolved against a manifest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from runtime.bundle.manifest import MAX_HALT_SCORE, Manifest
from runtime.early_exit.policies import POLICIES
from runtime.errors import PolicyError
from spikehalt.errors import ConfigError
from spikehalt.strict import unknown_name

_RANGES = {
    "halting": (-MAX_HALT_SCORE, MAX_HALT_SCORE),
    "entropy": (0.0, 1.0),
    "confidence": (0.0, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What a user asked for; None means "as the bundle (or the engine) says"."""

    policy: str | None = None
    threshold: float | None = None
    epsilon: float | None = None
    max_timesteps: int | None = None

    def over(self, base: Overrides) -> Overrides:
        """These overrides on top of `base`; a new policy does not inherit another's threshold."""
        same_policy = self.policy is None or self.policy == base.policy
        inherited = base.threshold if same_policy else None
        return Overrides(
            policy=base.policy if self.policy is None else self.policy,
            threshold=inherited if self.threshold is None else self.threshold,
            epsilon=base.epsilon if self.epsilon is None else self.epsilon,
            max_timesteps=(
                base.max_timesteps if self.max_timesteps is None else self.max_timesteps
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The knobs a call runs with, all of them valid.

    Attributes:
        policy: one of `runtime.early_exit.policies.POLICIES`.
        threshold: None for "never" only.
        epsilon: in [0, 1).
        max_timesteps: a multiple of the bundle's chunk, at most its T.
    """

    policy: str
    threshold: float | None
    epsilon: float
    max_timesteps: int


def resolve(manifest: Manifest, overrides: Overrides) -> Settings:
    """Fill in from the manifest what the user left open, and check everything.

    Raises:
        PolicyError: an unknown policy, one this bundle cannot follow, or a missing threshold.
        ConfigError: ε, the threshold or the timesteps are out of range.
    """
    policy = _policy(manifest, overrides.policy)
    return Settings(
        policy=policy,
        threshold=_threshold(manifest, policy, overrides.threshold),
        epsilon=_epsilon(manifest, overrides.epsilon),
        max_timesteps=_timesteps(manifest, overrides.max_timesteps),
    )


def calibration_notice(manifest: Manifest, overrides: Overrides) -> str | None:
    """How to calibrate, for a bundle that runs "never" only because it is not calibrated."""
    chosen = overrides.policy is not None
    if chosen or manifest.exit.default != "never":
        return None
    return (
        f"{manifest.name} has no calibrated exit threshold, so every image runs all "
        f'{manifest.timesteps} timesteps (policy "never"). {how_to_calibrate()}'
    )


def how_to_calibrate() -> str:
    """What to do about a missing threshold."""
    return (
        "Calibrate it with `python -m runtime calibrate BUNDLE DATA`, or pass policy= and "
        "threshold= yourself."
    )


def _policy(manifest: Manifest, asked: str | None) -> str:
    policy = manifest.exit.default if asked is None else asked
    if policy not in POLICIES:
        raise PolicyError(unknown_name("exit policy", str(policy), POLICIES))
    if policy == "halting" and manifest.halting.mode == "none":
        raise PolicyError(
            f'policy "halting" needs halting scores, and {manifest.name} was trained without '
            'halting (mode "none"): use "entropy", "confidence" or "never"'
        )
    return policy


def _threshold(manifest: Manifest, policy: str, asked: float | None) -> float | None:
    if policy == "never":
        if asked is not None:
            raise PolicyError(
                f'threshold {asked!r} has no meaning under policy "never": pass policy="halting", '
                '"entropy" or "confidence" with it'
            )
        return None
    value = manifest.exit.threshold(policy) if asked is None else asked
    if value is None:
        raise PolicyError(
            f"{manifest.name} has no calibrated threshold for policy {policy!r}. "
            + how_to_calibrate()
        )
    low, high = _RANGES[policy]
    number = _number("threshold", value)
    if not low <= number <= high:
        raise ConfigError(f"threshold {value!r} of policy {policy!r} is not in [{low}, {high}]")
    return number


def _epsilon(manifest: Manifest, asked: float | None) -> float:
    value = manifest.halting.epsilon if asked is None else _number("epsilon", asked)
    if not 0.0 <= value < 1.0:
        raise ConfigError(
            f"epsilon {value!r} is not in [0, 1): 0 halts tokens latest, larger values earlier "
            f"(this bundle's default is {manifest.halting.epsilon})"
        )
    return value


def _timesteps(manifest: Manifest, asked: int | None) -> int:
    T, chunk = manifest.timesteps, manifest.chunk
    if asked is None:
        return T
    if isinstance(asked, bool) or not hasattr(asked, "__index__"):
        raise ConfigError(f"max_timesteps must be an integer, not {asked!r}")
    value = asked.__index__()
    if not 1 <= value <= T or value % chunk:
        choices = ", ".join(str(t) for t in range(chunk, T + 1, chunk)[:16])
        raise ConfigError(
            f"max_timesteps {value} is not possible: the graphs run {chunk} timestep(s) at once, "
            f"up to {T}, so choose one of {choices}"
        )
    return value


def not_negative(name: str, value: Any) -> float:
    """A finite number of at least 0.

    Raises:
        ConfigError: it is not.
    """
    number = _number(name, value)
    if number < 0:
        raise ConfigError(f"{name} must not be negative, it is {value!r}")
    return number


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str | bool) or not math.isfinite(number):
        raise ConfigError(f"{name} must be a finite number, not {value!r}")
    return number
