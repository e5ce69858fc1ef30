"""Does halting cost what it should? Four claims, each figure beside the target we set ourselves.

    python -m benchmarks.cpu.cost                        float32
    python -m benchmarks.cpu.cost --int8 --plot cost.svg

The `spikformer-4-384` shape with I-SPS, packed, in ONNX Runtime, batch 1, one thread; random
weights, live sets imposed as in benchmarks/common/replay.py:

    line       milliseconds against live tokens are a line through SHARES
    half       a timestep with half of the tokens (averaged over blocks) against one with all
    half of T  the same, of all T timesteps in one graph, less what is done once
    decision   what halting adds to a timestep in which no token halts
    exit       an exit at t costs the part done once and t of the T timesteps; the worst deviation

A timestep is a run of `next.onnx`: the blocks and the readout, without the stem. The decision is
the difference between such a run of the halting graph and of the static one, not a sum over the
profiled nodes named `halt`: only the difference counts the packing, the aligning of membranes and
the fusions that halting prevents; ONNX Runtime inlines the op and names its nodes anew; and a
profiler's own cost weighs most on such small nodes. The same graph in the dense layout, which masks
and packs nothing, says how much of it is packing.

All candidates take turns (benchmarks/cpu/turns.py). A figure comes from their median process times;
± is its standard error, from as many rounds drawn again and again out of those measured
(bootstrap). Another process, whose memory lies elsewhere, may differ by more: run it twice.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.common import command_line, networks
from benchmarks.common.table import Row, Table, console, number, words
from benchmarks.cpu.curve import SHARES, Line, chart, fit, thinned
from benchmarks.cpu.products import Products
from benchmarks.cpu.turns import Times, clocked, measure, medians, with_sets
from benchmarks.cpu.worker import Ours
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from train.config import HaltingConfig, ModelConfig

DRAWS = 200


@dataclass(frozen=True)
class Claim:
    """A bound that a figure should keep.

    Attributes:
        name: as in the module's text.
        limit: the target.
        at_least: the figure must not be below the limit; else it must not be above.
        figure: of the candidates' times.
    """

    name: str
    limit: float
    at_least: bool
    figure: Callable[[Times], float]

    def reached(self, value: float) -> bool:
        """Whether the value meets the target."""
        return value >= self.limit if self.at_least else value <= self.limit


class Costs:
    """The figures of a model's times."""

    def __init__(self, config: ModelConfig) -> None:
        self.config, self.timesteps = config, config.timesteps

    @property
    def claims(self) -> list[Claim]:
        """Every claim."""
        return [
            Claim("line: R²", 0.98, True, lambda times: self.line(times).r_squared),
            Claim("half: of a full timestep", 0.6, False, self.half),
            Claim("half of T: of the full ones", 0.6, False, self.half_whole),
            Claim("decision: of a timestep", 0.03, False, self.decision),
            Claim("exit: worst deviation", 0.1, False, self.exit),
        ]

    @property
    def half_share(self) -> float:
        """Share of tokens that run in blocks 2..L so that half of all run, block 1 included."""
        depth, slots = self.config.depth, self.config.tokens
        return math.ceil((depth / 2 - 1) * slots / (depth - 1)) / slots

    def tokens(self, share: float) -> float:
        """Live tokens of an image, summed over blocks and timesteps."""
        return float(thinned(share, 1, self.config).live.sum())

    def line(self, times: Times) -> Line:
        """Line through the times of all shares of tokens, all timesteps executed."""
        ms = np.array([times[share_name(share)] for share in SHARES])
        return fit(np.array([self.tokens(share) for share in SHARES]), ms)

    def half(self, times: Times) -> float:
        """Time of a timestep with half of the tokens, over that with all tokens."""
        return times["half:step"] / times["all:step"]

    def once(self, times: Times) -> float:
        """Milliseconds of what is done once per image."""
        return times["all-t1"] - times["all:step"]

    def half_whole(self, times: Times) -> float:
        """The same of all timesteps in one graph, less what is done once per image."""
        once = self.once(times)
        return (times["whole-half"] - once) / (times["whole"] - once)

    def decision(self, times: Times) -> float:
        """Time that halting adds to a timestep in which no token halts, as a share of it."""
        return times["all:step"] / times["static:step"] - 1

    def predicted(self, times: Times, steps: int) -> float:
        """Milliseconds with an exit after so many timesteps, from those at 1 and T."""
        more = (times["all"] - times["all-t1"]) / (self.timesteps - 1)
        return times["all-t1"] + (steps - 1) * more

    def exit(self, times: Times) -> float:
        """Largest deviation of an exit's cost from what it should be, as a share of that."""
        return max(
            abs(times[f"all-t{t}"] / self.predicted(times, t) - 1) for t in range(2, self.timesteps)
        )


def share_name(share: float) -> str:
    """The candidate with that share of the tokens in blocks 2..L."""
    return "all" if share == 1 else f"share-{share}"


def candidates(
    config: ModelConfig, *, int8: bool = False, native_ops: bool | None = None
) -> dict[str, Ours]:
    """Everything that is timed; those of the halting graph share its sessions."""
    common: dict[str, Any] = {"batch": 1, "threads": 1, "native_ops": native_ops}
    costs, steps = Costs(config), config.timesteps
    everyone = thinned(1.0, config=config)
    never = replace(config, halting=HaltingConfig())
    graphs = [
        (config, networks.our_graphs(config, int8=int8)),
        (config, networks.our_graphs(config, int8=int8, layout="dense")),
        (never, networks.our_graphs(never, int8=int8)),
    ]
    halting, dense, static = (
        clocked(Ours(each, built, everyone, **common)) for each, built in graphs
    )
    half = thinned(costs.half_share, config=config)
    together = networks.our_graphs(config, int8=int8, chunk=steps)
    whole = Ours(config, together, everyone, chunk=steps, **common)
    shares = {share_name(s): with_sets(halting, thinned(s, config=config), steps) for s in SHARES}
    exits = {f"all-t{t}": with_sets(halting, everyone, t) for t in range(1, steps)}
    return {
        **shares,
        **exits,
        "half": with_sets(halting, half, steps),
        "whole": whole,
        "whole-half": with_sets(whole, half, steps),
        "dense": dense,
        "static": static,
    }


def standard_error(claim: Claim, rounds: Sequence[Times]) -> float:
    """Standard error of the claim's figure, by drawing the measured rounds again (bootstrap)."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(rounds), (DRAWS, len(rounds)))
    return statistics.stdev(claim.figure(medians([rounds[i] for i in draw])) for draw in draws)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status is 0 whatever the figures are."""
    parser = command_line.parser("benchmarks.cpu.cost", __doc__)
    parser.add_argument("--rounds", type=whole(1), default=40)
    command_line.add_graph(parser)
    command_line.add_plot(parser, "the line")
    arguments = parser.parse_args(argv)
    config = networks.config_of("isps", halting=True)
    costs = Costs(config)
    timed = candidates(config, int8=arguments.int8, native_ops=arguments.native_ops)
    rounds = measure(timed, arguments.rounds, console)
    title = f"{command_line.conditions(arguments)}, {len(rounds)} rounds"
    table(title).print(rows_of(costs, rounds))
    console.print(details(costs, medians(rounds)), highlight=False)
    console.print(products(costs, int8=arguments.int8), highlight=False)
    if arguments.plot:
        times = medians(rounds)
        tokens = [costs.tokens(share) for share in SHARES]
        ms = [times[share_name(share)] for share in SHARES]
        arguments.plot.write_text(chart(tokens, ms, costs.line(times)))
    return 0


def rows_of(costs: Costs, rounds: Sequence[Times]) -> list[Row]:
    """Every claim with its figure, its standard error, its target, and whether that is reached."""
    return [row_of(claim, rounds) for claim in costs.claims]


def row_of(claim: Claim, rounds: Sequence[Times]) -> Row:
    """One claim."""
    value = claim.figure(medians(rounds))
    figures = {
        "value": value,
        "error": standard_error(claim, rounds),
        "target": f"{'≥' if claim.at_least else '≤'} {claim.limit:g}",
        "verdict": "reached" if claim.reached(value) else "not reached",
    }
    return Row(claim.name, figures)


def table(title: str) -> Table:
    """The claims."""
    columns = [
        words("claim"),
        number("measured", "value", ".4f"),
        number("±", "error", ".4f"),
        words("target", "target"),
        words("", "verdict"),
    ]
    return Table(title, columns)


def details(costs: Costs, times: Times) -> str:
    """What the figures are made of."""
    line = costs.line(times)
    names = ("all", "half", "dense", "static")
    full, half, dense, static = (times[f"{name}:step"] for name in names)
    blocks = costs.config.depth * costs.config.timesteps * costs.config.tokens
    share = costs.tokens(costs.half_share) / blocks
    exits = ", ".join(
        f"{times[f'all-t{t}']:.2f} ({costs.predicted(times, t):.2f})"
        for t in range(1, costs.timesteps)
    )
    return (
        f"line: {line.fixed_ms:.2f} ms + {1e3 * line.per_token_ms:.2f} µs a token and block\n"
        f"a timestep: {full:.2f} ms with all tokens, {half:.2f} ms with {share:.3f} of them; "
        f"once per image: {costs.once(times):.2f} ms\n"
        f"all timesteps in one graph: {times['whole']:.2f} ms, {times['whole-half']:.2f} ms\n"
        f"a timestep without halting: {static:.2f} ms; "
        f"deciding, masked: {(dense - static) / static:+.1%}; "
        f"packing instead: {(full - dense) / static:+.1%}\n"
        f"ms at t = 1, 2, … (as it should cost): {exits}, {times['all']:.2f}"
    )


def products(costs: Costs, *, int8: bool) -> str:
    """The timestep's products alone: with all tokens, with half of them, with one row a block."""
    config, alone = costs.config, Products(costs.config, int8=int8)
    sets = (thinned(share, 1, config).live[0, 0] for share in (1.0, costs.half_share))
    full, half = (alone.ms([int(rows) for rows in each]) for each in sets)
    least = alone.ms([1] * config.depth)
    return (
        f"its products alone: {full:.2f} ms, {half:.2f} ms ({half / full:.3f}); "
        f"with one row a block, which reads the same weights: {least:.2f} ms"
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
