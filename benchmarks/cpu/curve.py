"""Does the cost follow the work? Milliseconds against live tokens, a straight line through them.

    python -m benchmarks.cpu.curve             float32
    python -m benchmarks.cpu.curve --int8 --plot curve.svg

All tokens run in block 1; a share of them in blocks 2..L, at every timestep, imposed as in
benchmarks/common/replay.py. Every share runs in a process of its own, in alternating rounds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import command_line, native, networks
from benchmarks.common.processes import Worker
from benchmarks.common.replay import Replay
from benchmarks.common.table import Row, Table, console, number
from benchmarks.cpu.process import Setup
from runtime.drawing import svg
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from train.config import ModelConfig

SHARES = (0.0625, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Line:
    """ms = fixed_ms + per_token_ms * live tokens, summed over blocks and timesteps."""

    fixed_ms: float
    per_token_ms: float
    r_squared: float


def fit(tokens: NDArray[np.float64], ms: NDArray[np.float64]) -> Line:
    """A line through the points, and the share of the variance that it explains."""
    slope, fixed = np.polyfit(tokens, ms, 1)
    rest = ms - (fixed + slope * tokens)
    return Line(float(fixed), float(slope), float(1 - rest.var() / ms.var()))


def thinned(share: float, images: int = 4, config: ModelConfig | None = None) -> Replay:
    """`share` of the tokens run in all blocks, the others in block 1 alone; never an early exit."""
    config = config or networks.config_of("isps", halting=True)
    stays = np.arange(config.tokens) < round(share * config.tokens)
    mixed = np.random.default_rng(0).permutation(stays)
    last = np.broadcast_to(
        np.where(mixed, config.depth, 1), (images, config.timesteps, config.tokens)
    )
    return Replay(last, np.full(images, config.timesteps), config.depth)


def measure(
    name: str, threads: int, rounds: int, native_ops: bool | None = None
) -> list[tuple[float, float]]:
    """Live tokens per image, summed over blocks and timesteps, and median ms, per share."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        running: list[tuple[Replay, Worker]] = []
        for number, share in enumerate(SHARES):
            path, replay = Path(folder) / f"{number}.npz", thinned(share)
            replay.save(path)
            setup = Setup(threads=threads, native_ops=native_ops)
            running.append((replay, setup.worker(name, path)))
            stack.callback(running[-1][1].close)
        for _ in range(rounds):
            for _, worker in running:
                worker.run()
        return [(float(r.live[0].sum()), w.median("cpu_ms")) for r, w in running]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; returns the exit status."""
    parser = command_line.parser("benchmarks.cpu.curve", __doc__)
    parser.add_argument("--threads", type=whole(1), default=1)
    parser.add_argument("--rounds", type=whole(1), default=7)
    command_line.add_graph(parser)
    command_line.add_plot(parser, "the line")
    arguments = parser.parse_args(argv)
    name = "int8" if arguments.int8 else "halting"
    console.print(f"ours: {native.in_words(arguments.native_ops)}", highlight=False)
    points = measure(name, arguments.threads, arguments.rounds, arguments.native_ops)
    tokens, ms = (np.array(values) for values in zip(*points, strict=True))
    line = fit(tokens, ms)
    report(tokens, ms, line)
    if arguments.plot:
        arguments.plot.write_text(chart(tokens.tolist(), ms.tolist(), line))
    return 0


def chart(tokens: Sequence[float], ms: Sequence[float], line: Line) -> str:
    """The points and the line through them, from no tokens on, as an SVG file."""
    ends = [0.0, float(max(tokens))]
    through = [line.fixed_ms + line.per_token_ms * count for count in ends]
    drawn = svg.line_chart(
        f"{networks.MODEL}: cost follows the live tokens",
        "live tokens, summed over blocks and timesteps",
        "ms per image",
        [
            svg.Series("measured", [*tokens], [*ms], marks=range(len(tokens))),
            svg.Series(f"line, R² {line.r_squared:.4f}", ends, through),
        ],
    )  # fmt: skip
    return svg.page([drawn])


def report(tokens: NDArray[np.float64], ms: NDArray[np.float64], line: Line) -> None:
    """Print the points and the line."""
    config = networks.config_of("isps", halting=True)
    table(config).print(rows_of(tokens, ms, line, config))
    console.print(
        f"R² {line.r_squared:.4f}; {line.per_token_ms * 1e3:.2f} µs a token and block; "
        f"{line.fixed_ms:.2f} ms whatever the tokens (once per image, and per call)",
        highlight=False,
    )


def rows_of(
    tokens: NDArray[np.float64], ms: NDArray[np.float64], line: Line, config: ModelConfig
) -> list[Row]:
    """The points, the share of all tokens that each is, and where the line is there."""
    full = config.timesteps * config.depth * config.tokens
    return [
        Row(
            f"{count:.0f}",
            {
                "tokens": count,
                "share": count / full,
                "ms": each,
                "line_ms": line.fixed_ms + line.per_token_ms * count,
            },
        )
        for count, each in zip(tokens, ms, strict=True)
    ]


def table(config: ModelConfig) -> Table:
    """The points beside the line."""
    columns = [
        number("live tokens", "tokens", ".0f"),
        number("of all", "share"),
        number("ms", "ms"),
        number("on the line", "line_ms"),
    ]
    return Table(f"{networks.MODEL}, I-SPS, T {config.timesteps}, process time", columns)


if __name__ == "__main__":
    sys.exit(run_command(main))
