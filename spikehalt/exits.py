"""Exit policies: when an image may leave before the last timestep (design section 4).

After every chunk of timesteps a policy compares one score per image with a threshold. Scores are
computed where the tensors live, by numpy in `runtime` and by torch in `train`; what a policy is
called, looks at and does with them stands here, once for both.

    policy        the image leaves once                                            from
    halting       the halting score reaches the threshold                          STAS
    entropy       the normalised entropy of the class probabilities falls to it    DT-SNN, AT-SNN^e
    confidence    the largest class probability reaches it                         DT-SNN
    never         all timesteps have run
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from spikehalt.vocabulary import HaltingMode

PolicyName = Literal["halting", "entropy", "confidence", "never"]
Direction = Literal["at_least", "at_most"]
Grid = Callable[[float, int], list[float]]

MAX_DROP = 0.005  # share of accuracy that exits may cost where nobody says otherwise
MAX_HALT_SCORE = 1e9  # far above L·T, far below what float32 holds


@dataclass(frozen=True, kw_only=True)
class ExitPolicy:
    """One rule.

    Attributes:
        name: what users and manifests call it; also the score it looks at.
        description: when an image leaves, in words.
        direction: the image leaves once its score is "at_least" or "at_most" the threshold; None:
            it never leaves early, whatever the threshold.
        low: least threshold.
        high: greatest threshold.
        needs_halting: whether the network must halt tokens for the score to say anything.
    """

    name: PolicyName
    description: str
    direction: Direction | None
    low: float = 0.0
    high: float = 1.0
    needs_halting: bool = False
    _grid: Grid = field(default=lambda bound, count: [], repr=False, compare=False)

    @property
    def has_threshold(self) -> bool:
        """Whether there is anything to calibrate."""
        return self.direction is not None

    @property
    def unreachable(self) -> float:
        """A threshold that no score passes: all timesteps run."""
        return {"at_least": math.inf, "at_most": -math.inf, None: 0.0}[self.direction]

    def fits(self, mode: HaltingMode) -> bool:
        """Whether networks with this halting mode can follow it."""
        return mode != "none" or not self.needs_halting

    def allows(self, threshold: float) -> bool:
        """Whether a threshold lies in the policy's range."""
        return self.low <= threshold <= self.high

    def score(self, outputs: Any) -> Any:
        """What is compared with the threshold.

        Args:
            outputs: of a network; has an attribute for every score, called as its policy.
        """
        return getattr(outputs, self.name)

    def passes(self, score: Any, threshold: float) -> Any:
        """Whether scores let their images leave.

        Args:
            score: a float, or an array of numpy or torch, of any shape; NaN never passes.
            threshold: rounded to float32 first, as scores are.

        Returns:
            bool, in the shape of `score`.
        """
        if self.direction is None:
            return score < score  # False everywhere
        limit = single(threshold)
        return score >= limit if self.direction == "at_least" else score <= limit

    def grid(self, largest_halt_score: float, count: int = 400) -> list[float]:
        """Candidate thresholds, from one at which hardly any image leaves to one at which all do.

        They depend on nothing measured, which a risk-controlled choice needs: entropies and
        1 - confidences on a geometric scale, halting scores evenly.

        Args:
            largest_halt_score: L·T, the bound of the halting score.
            count: how many, about.
        """
        return [float(f"{value:.7g}") for value in self._grid(largest_halt_score, count)]


def single(value: float) -> float:
    """The float32 nearest to a number, as a Python float; infinite beyond float32's range."""
    try:
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return rounded


def _geometric(count: int) -> list[float]:
    """0, then `count` numbers from 1e-6 to 1, each the same multiple of the one before."""
    return [0.0, *(10.0 ** (6 * i / (count - 1) - 6) for i in range(count))]


def _falling(bound: float, count: int) -> list[float]:
    """`count` + 1 numbers evenly from `bound` down to 0."""
    return [bound * (count - i) / count for i in range(count + 1)]


HALTING = ExitPolicy(
    name="halting",
    description="the halting score reaches the threshold",
    direction="at_least",
    low=-MAX_HALT_SCORE,
    high=MAX_HALT_SCORE,
    needs_halting=True,
    _grid=_falling,
)
ENTROPY = ExitPolicy(
    name="entropy",
    description="the normalised entropy of the class probabilities falls to the threshold",
    direction="at_most",
    _grid=lambda bound, count: _geometric(count),
)
CONFIDENCE = ExitPolicy(
    name="confidence",
    description="the largest class probability reaches the threshold",
    direction="at_least",
    _grid=lambda bound, count: [1.0 - value for value in _geometric(count)],
)
NEVER = ExitPolicy(name="never", description="all timesteps have run", direction=None)

POLICIES: Mapping[str, ExitPolicy] = MappingProxyType(
    {policy.name: policy for policy in (HALTING, ENTROPY, CONFIDENCE, NEVER)}
)
CALIBRATED = tuple(policy for policy in POLICIES.values() if policy.has_threshold)


def calibrated_names(mode: HaltingMode) -> list[PolicyName]:
    """Policies with a threshold that networks with this halting mode can follow."""
    return [policy.name for policy in CALIBRATED if policy.fits(mode)]
