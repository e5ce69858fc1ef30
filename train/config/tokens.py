"""Which tokens run: halting, and the baseline that drops at fixed rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spikehalt.vocabulary import HaltingMode
from train.config.checks import check_epsilon, require


@dataclass(frozen=True)
class HaltingConfig:
    """Token halting, h = sigmoid(alpha * s + beta), s = x[0] / size (AT-SNN 3.2, STAS 3.2).

    Attributes:
        mode: `none`; `block` accumulates over blocks only; `block_time` over blocks and timesteps.
        alpha: slope of the score in the token's first element.
        beta: offset of the score.
        epsilon: a token halts once its accumulated score reaches 1 - epsilon, in [0, 1).
        score: what s is: the token's first `element`, which training shapes, or how certain the
            `forecast` of its last value is (train/models/forecasts.py), for networks that were
            trained without halting: `spikehalt adapt`.
    """

    mode: HaltingMode = "none"
    alpha: float = 5.0
    beta: float = -10.0
    epsilon: float = 0.01
    score: Literal["element", "forecast"] = "element"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)
        require(
            self.score == "element" or self.mode == "block_time",
            "halting.score 'forecast' goes with halting.mode 'block_time'",
        )


@dataclass(frozen=True)
class DropConfig:
    """Tokens dropped at fixed rates, to compare halting with; trained and evaluated, not exported.

    Attributes:
        kind: `random` drops at random, anew at every timestep (AT-SNN fig. 10); `anchor` keeps the
            tokens most like the mean token of their timestep, after STATA's timestep-wise anchors;
            `activity` those that are most active over all timesteps, and lets the others pass by
            the block and come back, after TP-Spikformer.
        keep: share of K_0 that runs in each block, never rising, the first 1.
    """

    kind: Literal["none", "random", "anchor", "activity"] = "none"
    keep: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require((self.kind == "none") == (not self.keep), "drop.keep goes with drop.kind")
        if not self.keep:
            return
        shares = list(self.keep)
        require(shares[0] == 1 and min(shares) > 0, "drop.keep must start with 1 and stay above 0")
        require(shares == sorted(shares, reverse=True), "drop.keep must never rise")
