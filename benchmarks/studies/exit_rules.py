"""How conservative the rules for exit thresholds are, and whether their promise holds.

    python -m benchmarks.studies.exit_rules

Simulated: each draw is a new set of calibration images of a network with two timesteps. The surest
share s of all images may leave after the first; that makes the answers of harm · s² of all images
wrong and of help · s² right. A rule chooses the largest s that it can show to lose at most the
allowed drop with the wanted confidence; the true drop of its choice is known here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import command_line
from benchmarks.common.table import Row, Table, number, words
from runtime.calibration import Point
from runtime.calibration.goal import RULES, Rule
from runtime.calibration.risk import last_safe
from spikehalt.commands import run as run_command
from spikehalt.commands import whole

SHARES = np.linspace(0, 1, 21)
MAX_DROP, DELTA = 0.01, 0.1


class Network(NamedTuple):
    """Shares of all images whose answer early exit would change if all left at t = 1."""

    harm: float
    help: float


NETWORKS = (Network(0.02, 0.0), Network(0.03, 0.015), Network(0.06, 0.045))


class Outcome(NamedTuple):
    """Over all draws.

    Attributes:
        share: mean share of images that leave at t = 1, each of which saves a timestep.
        best: the largest share that the allowed drop permits.
        coverage: share of draws whose choice truly stays within the drop.
    """

    share: float
    best: float
    coverage: float


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    p = command_line.parser("benchmarks.studies.exit_rules", __doc__)
    p.add_argument("--draws", type=whole(1), default=1000)
    p.add_argument("--images", type=whole(1), default=1500, help="calibration images of a draw")
    arguments = p.parse_args(argv)
    rows = [
        row(network, rule, arguments.images, arguments.draws)
        for network in NETWORKS
        for rule in RULES
    ]
    Table(
        f"{arguments.draws:,} draws of {arguments.images:,} images; drop ≤ {MAX_DROP:.0%} "
        f"with confidence {1 - DELTA:g}",
        [
            words("harmed, helped if all leave"), words("rule", "rule"),
            number("leave at t = 1", "share", ".1%"), number("at most", "best", ".1%"),
            number("coverage", "coverage", ".1%"),
        ],
    ).print(rows)  # fmt: skip
    return 0


def row(network: Network, rule: Rule, images: int, draws: int) -> Row:
    """A line of the table."""
    found = simulate(network, rule, images, draws)
    name = f"{network.harm:.1%}, {network.help:.1%}"
    return Row(name, {"rule": rule, **found._asdict()})


def simulate(network: Network, rule: Rule, images: int, draws: int) -> Outcome:
    """Choose on many draws of calibration images; the same draws for every rule."""
    shares = np.array(
        [chosen_share(network, rule, images, np.random.default_rng(seed)) for seed in range(draws)]
    )
    drops = (network.harm - network.help) * shares**2
    allowed = (network.harm - network.help) * SHARES**2 <= MAX_DROP
    return Outcome(
        float(shares.mean()), float(SHARES[allowed].max()), float(np.mean(drops <= MAX_DROP))
    )


def chosen_share(network: Network, rule: Rule, images: int, rng: np.random.Generator) -> float:
    """What a rule chooses on one draw."""
    chosen = last_safe(_curve(network, images, rng), MAX_DROP, DELTA, rule)
    return 0.0 if chosen is None or chosen.threshold is None else chosen.threshold


def _curve(network: Network, images: int, rng: np.random.Generator) -> list[Point]:
    """Harmed and helped images at every share, safest first."""
    needed = np.sqrt(rng.random(images))  # an image changes sides from this share on
    kind = rng.random(images)
    harmful = _counts(needed[kind < network.harm])
    helpful = _counts(needed[kind > 1 - network.help])
    return [
        Point(
            policy="confidence", threshold=float(share), epsilon=0.0, images=images, accuracy=0.0,
            harmful=int(a), helpful=int(b), average_timesteps=2 - float(share), average_tokens=1.0,
            energy_mj=None, time_ms=None,
        )
        for share, a, b in zip(SHARES, harmful, helpful, strict=True)
    ]  # fmt: skip


def _counts(needed: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.searchsorted(np.sort(needed), SHARES, side="left")


if __name__ == "__main__":
    sys.exit(run_command(main))
