"""What a calibration is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from spikehalt.errors import ConfigError

Rule = Literal["learn-then-test", "upper-confidence-bound"]
RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Exactly one of `max_drop` and `timesteps`.

    Attributes:
        max_drop: accuracy that may be lost against running all timesteps, in [0, 1).
        timesteps: average timesteps wanted, at most.
        confidence: None: `max_drop` holds on the calibration images (empirical choice); else the
            probability, in (0, 1), with which it holds for new images of the same kind.
        rule: how that is shown: exact binomial tests of harm and help (`learn-then-test`), or a
            bound by betting on their difference (`upper-confidence-bound`).

    Raises:
        ConfigError: a number out of range, or numbers that exclude each other.
    """

    max_drop: float | None = None
    timesteps: float | None = None
    confidence: float | None = None
    rule: Rule = "learn-then-test"

    def __post_init__(self) -> None:
        if (self.max_drop is None) == (self.timesteps is None):
            raise ConfigError("a goal is either max_drop or timesteps: give exactly one")
        if self.max_drop is not None and not 0.0 <= self.max_drop < 1.0:
            raise ConfigError(
                f"max_drop {self.max_drop!r} is not in [0, 1): it is a share, 0.005 is 0.5%"
            )
        if self.timesteps is not None and not self.timesteps >= 1.0:
            raise ConfigError(f"timesteps {self.timesteps!r} is below 1")
        if self.rule not in RULES:
            raise ConfigError(f"no rule {self.rule!r}; there are {', '.join(RULES)}")
        if self.confidence is None:
            return
        if self.max_drop is None or self.max_drop == 0.0:
            raise ConfigError("confidence is a promise about max_drop: give a max_drop above 0")
        if not 0.0 < self.confidence < 1.0:
            raise ConfigError(f"confidence {self.confidence!r} is not between 0 and 1")

    @property
    def method(self) -> str:
        """Name of the rule that chooses the threshold."""
        if self.confidence is not None:
            return self.rule
        return "empirical drop" if self.max_drop is not None else "average timesteps"
