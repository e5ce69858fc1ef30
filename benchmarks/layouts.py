"""Where do packed rows beat masks? Process time of both layouts over widths, tokens and batches.

    python -m benchmarks.layouts

Half of the tokens halt after block 1 at every timestep, imposed as in benchmarks/replay.py; three
blocks, T 4, one thread, random weights. Both layouts take turns in one process, which has no second
thread. The exporter's rule for `--layout auto` (export/choose_layout.py) is drawn from this table.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import cpu_models as models
from benchmarks.cpu_curve import thinned
from benchmarks.cpu_worker import Ours, timed
from export.choose_layout import packing_pays
from train.config import ModelConfig, StemConfig

console = Console()
SHARE = 0.5
WIDTHS = (32, 64, 96, 128, 192, 384)
POOLS = {16: (False, True, True, True), 64: (False, False, True, True)}  # by token count
BATCHES = (1, 8)


@dataclass(frozen=True)
class Row:
    """Milliseconds per image of both layouts, medians, at one shape."""

    dim: int
    tokens: int
    batch: int
    packed_ms: float
    dense_ms: float
    chosen: str


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.layouts", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(argv).rounds
    shapes = [(dim, tokens) for tokens in POOLS for dim in WIDTHS]
    rows = [
        row
        for dim, tokens in track(shapes, "measuring", transient=True, console=console)
        for row in measure(shape(dim, tokens), rounds)
    ]
    console.print(table(rows))
    return 0


def shape(dim: int, tokens: int) -> ModelConfig:
    """Three blocks of width `dim` on 32 x 32 pixels, heads of 32 or the whole width."""
    base = models.config_of("isps", halting=True)
    stem = StemConfig(kind="isps", pool=POOLS[tokens])
    return replace(base, depth=3, dim=dim, heads=max(1, dim // 32), stem=stem)


def measure(config: ModelConfig, rounds: int) -> list[Row]:
    """Both layouts in turn, at every batch."""
    replay = thinned(SHARE, images=max(BATCHES), config=config)
    rows = []
    for batch in BATCHES:
        runs = {
            layout: Ours(
                config, models.our_graphs(config, layout=layout), replay, batch=batch, threads=1
            )
            for layout in ("packed", "dense")
        }
        times: dict[str, list[float]] = {layout: [] for layout in runs}
        for _ in range(rounds):
            for layout, step in runs.items():
                times[layout].append(timed(step)["cpu_ms"])
        packed, dense = (statistics.median(times[layout]) for layout in runs)
        chosen = "packed" if packing_pays(config) else "dense"
        rows.append(Row(config.dim, config.tokens, batch, packed, dense, chosen))
    return rows


def table(rows: Sequence[Row]) -> Table:
    """All shapes, and what the exporter chooses there."""
    result = Table(title=f"{SHARE:.0%} of the tokens halt after block 1; process time per image")
    for title in ("width", "tokens", "batch", "packed ms", "dense ms", "dense / packed", "auto"):
        result.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        result.add_row(
            str(row.dim), str(row.tokens), str(row.batch), f"{row.packed_ms:.3f}",
            f"{row.dense_ms:.3f}", f"{row.dense_ms / row.packed_ms:.2f}", row.chosen,
        )  # fmt: skip
    return result


if __name__ == "__main__":
    sys.exit(main())
