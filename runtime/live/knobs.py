"""What can be turned while it runs, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runtime.bundle import Manifest
from runtime.early_exit.settings import Overrides, Settings, resolve
from spikehalt.exits import CALIBRATED, CONFIDENCE, ENTROPY, HALTING, NEVER, PolicyName

MAX_RATE = 120.0
MOST_EPSILON = 0.99
# Where a policy starts that nobody calibrated; of the halting score, a share of its bound L·T.
_STARTS = {HALTING.name: 0.5, ENTROPY.name: 0.1, CONFIDENCE.name: 0.9}


class Change(BaseModel):
    """What the page asks for; what is left out stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epsilon: Annotated[float, Field(ge=0, lt=1)] | None = None
    policy: PolicyName | None = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    max_timesteps: int | None = None
    rate: Annotated[float, Field(gt=0, le=MAX_RATE)] | None = None
    compare: bool | None = None
    playing: bool | None = None
    ask: Literal["next"] | None = None


@dataclass(frozen=True)
class Knobs:
    """How pictures are answered and shown.

    Attributes:
        policy: when an image leaves.
        thresholds: of every policy that has one, so that each keeps its own.
        epsilon: halting margin.
        max_timesteps: the last one.
        rate: pictures per second at most.
        compare: whether the static network answers too.
        playing: whether the next picture comes by itself.
    """

    policy: str
    thresholds: dict[str, float] = field(default_factory=dict)
    epsilon: float = 0.0
    max_timesteps: int = 1
    rate: float = 30.0
    compare: bool = True
    playing: bool = True

    @property
    def overrides(self) -> Overrides:
        """Arguments of a call of the engine."""
        return Overrides(
            policy=self.policy,
            threshold=self.thresholds.get(self.policy),
            epsilon=self.epsilon,
            max_timesteps=self.max_timesteps,
        )

    def changed(self, change: Change, manifest: Manifest) -> Knobs:
        """These with a change.

        Raises:
            ConfigError: the bundle cannot run so.
        """
        asked = change.model_dump(exclude_none=True, exclude={"threshold", "ask"})
        knobs = replace(self, **asked)
        if change.threshold is not None:
            knobs = replace(knobs, thresholds={**self.thresholds, knobs.policy: change.threshold})
        resolve(manifest, knobs.overrides)
        return knobs


def start(manifest: Manifest, settings: Settings, rate: float) -> Knobs:
    """As the engine is set."""
    thresholds: dict[str, float] = {}
    for policy in CALIBRATED:
        known = manifest.exit.threshold(policy.name)
        bound = _range(manifest, policy.name)[1]
        thresholds[policy.name] = _STARTS[policy.name] * bound if known is None else known
    if settings.threshold is not None:
        thresholds[settings.policy] = settings.threshold
    return Knobs(
        policy=settings.policy,
        thresholds=thresholds,
        epsilon=settings.epsilon,
        max_timesteps=settings.max_timesteps,
        rate=rate,
    )


def limits(manifest: Manifest) -> dict[str, Any]:
    """What the page offers: ranges of sliders, None where there is nothing to turn."""
    policies = [each for each in (*CALIBRATED, NEVER) if each.fits(manifest.halting.mode)]
    halts = manifest.halting.mode != "none"
    return {
        "epsilon": {"min": 0.0, "max": MOST_EPSILON} if halts else None,
        "policies": [
            {
                "name": each.name,
                "description": each.description,
                "direction": each.direction,
                "range": _range(manifest, each.name) if each.has_threshold else None,
            }
            for each in policies
        ],
        "max_timesteps": {
            "min": manifest.chunk,
            "max": manifest.timesteps,
            "step": manifest.chunk,
        },
        "rate": {"min": 0.5, "max": 60.0},
    }


def _range(manifest: Manifest, policy: str) -> tuple[float, float]:
    """Least and greatest threshold that says anything."""
    bound = float(manifest.blocks * manifest.timesteps)
    return (0.0, bound) if policy == HALTING.name else (0.0, 1.0)
