"""The knobs of a call (policy, threshold, ε, timesteps), resolved against a manifest."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.bundle import Manifest
from runtime.errors import PolicyError
from spikehalt.errors import ConfigError
from spikehalt.exits import CALIBRATED, NEVER, POLICIES, ExitPolicy, calibrated_names
from spikehalt.strict import unknown_name


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
        policy: a name in `spikehalt.exits.POLICIES`.
        threshold: None for a policy without one.
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
        policy=policy.name,
        threshold=_threshold(manifest, policy, overrides.threshold),
        epsilon=_epsilon(manifest, overrides.epsilon),
        max_timesteps=_timesteps(manifest, overrides.max_timesteps),
    )


def calibration_notice(manifest: Manifest, overrides: Overrides) -> str | None:
    """How to calibrate, for a bundle that runs all timesteps because it is not calibrated."""
    chosen = overrides.policy is not None
    if chosen or POLICIES[manifest.exit.default].has_threshold:
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


def _policy(manifest: Manifest, asked: str | None) -> ExitPolicy:
    name = manifest.exit.default if asked is None else asked
    if not isinstance(name, str) or name not in POLICIES:
        raise PolicyError(unknown_name("exit policy", str(name), tuple(POLICIES)))
    policy, mode = POLICIES[name], manifest.halting.mode
    if not policy.fits(mode):
        others = _or([*calibrated_names(mode), NEVER.name])
        raise PolicyError(
            f'policy "{name}" needs halting scores, and {manifest.name} was trained without '
            f'halting (mode "{mode}"): use {others}'
        )
    return policy


def _threshold(manifest: Manifest, policy: ExitPolicy, asked: float | None) -> float | None:
    if not policy.has_threshold:
        if asked is not None:
            others = _or([each.name for each in CALIBRATED])
            raise PolicyError(
                f'threshold {asked!r} has no meaning under policy "{policy.name}": pass '
                f"policy={others} with it"
            )
        return None
    value = manifest.exit.threshold(policy.name) if asked is None else asked
    if value is None:
        raise PolicyError(
            f"{manifest.name} has no calibrated threshold for policy {policy.name!r}. "
            + how_to_calibrate()
        )
    number = _number("threshold", value)
    if not policy.allows(number):
        raise ConfigError(
            f"threshold {value!r} of policy {policy.name!r} is not in [{policy.low}, {policy.high}]"
        )
    return number


def _or(names: Sequence[str]) -> str:
    """Names in quotes, as a choice: "a", "b" or "c"."""
    *others, last = (f'"{name}"' for name in names)
    return f"{', '.join(others)} or {last}" if others else last


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
    value = whole_number(asked)
    if value is None:
        raise ConfigError(f"max_timesteps must be an integer, not {asked!r}")
    if not 1 <= value <= T or value % chunk:
        choices = ", ".join(str(t) for t in range(chunk, T + 1, chunk)[:16])
        raise ConfigError(
            f"max_timesteps {value} is not possible: the graphs run {chunk} timestep(s) at once, "
            f"up to {T}, so choose one of {choices}"
        )
    return value


def whole_number(value: Any) -> int | None:
    """An int, or what numpy has instead; None for anything else."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def not_negative(name: str, value: Any, most: float = math.inf) -> float:
    """A finite number of at least 0, and at most `most`.

    Raises:
        ConfigError: it is not.
    """
    number = _number(name, value)
    if number < 0:
        raise ConfigError(f"{name} must not be negative, it is {value!r}")
    if number > most:
        raise ConfigError(f"{name} is at most {most:g}, not {value!r}")
    return number


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, str | bool) or not math.isfinite(number):
        raise ConfigError(f"{name} must be a finite number, not {value!r}")
    return number
