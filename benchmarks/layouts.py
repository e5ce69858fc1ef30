"""Where do packed rows beat masks? Process time of both layouts over widths, tokens and batches.

    python -m benchmarks.layouts
    python -m benchmarks.layouts --merging      where does merging pay? (25 of 64 tokens)

Half of the tokens halt after block 1 at every timestep, imposed as in benchmarks/common/replay.py;
three blocks, T 4, one thread, random weights. Both layouts take turns in one process, which has no
second thread. The exporter's rule for `--layout auto` (export/choose_layout.py) is drawn from this
table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import onnx
from rich.progress import track

from benchmarks.common import command_line, native, networks
from benchmarks.common.figures import in_turn
from benchmarks.common.replay import Replay
from benchmarks.common.serving import timed
from benchmarks.common.table import Column, Row, Table, console, number, words
from benchmarks.cpu.curve import thinned
from benchmarks.cpu.worker import Ours
from export.choose_layout import merging_advice, packing_pays
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from spikehalt.vocabulary import Layout
from train.config import HaltingConfig, ModelConfig, StemConfig

SHARE = 0.5
WIDTHS = (32, 64, 96, 128, 192, 384)
POOLS = {16: (False, True, True, True), 64: (False, False, True, True)}  # by token count
BATCHES = (1, 8)
Graphs = Mapping[str, onnx.ModelProto]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_line.parser("benchmarks.layouts", __doc__)
    parser.add_argument("--rounds", type=whole(1), default=5)
    parser.add_argument("--merging", action="store_true")
    native.add_option(parser)
    options = parser.parse_args(argv)
    shapes = [(dim, tokens) for tokens in POOLS for dim in WIDTHS]
    measured = measure_merging if options.merging else measure
    rows = [
        row
        for dim, tokens in track(shapes, "measuring", transient=True, console=console)
        for row in measured(shape(dim, tokens), options.rounds, options.native_ops)
    ]
    console.print(f"ours: {native.in_words(options.native_ops)}", highlight=False)
    (merging_table() if options.merging else table()).print(rows)
    return 0


def shape(dim: int, tokens: int) -> ModelConfig:
    """Three blocks of width `dim` on 32 x 32 pixels, heads of 32 or the whole width."""
    base = networks.config_of("isps", halting=True)
    stem = StemConfig(kind="isps", pool=POOLS[tokens])
    return replace(base, depth=3, dim=dim, heads=max(1, dim // 32), stem=stem)


def measure(config: ModelConfig, rounds: int, native_ops: bool | None) -> list[Row]:
    """Both layouts in turn, at every batch."""
    layouts: tuple[Layout, Layout] = ("packed", "dense")
    compared = [(config, networks.our_graphs(config, layout=layout)) for layout in layouts]
    chosen = "packed" if packing_pays(config) else "dense"
    return rows_of(compared, thinned_batch(SHARE, config), chosen, rounds, native_ops)


def measure_merging(config: ModelConfig, rounds: int, native_ops: bool | None) -> list[Row]:
    """A static network with merging and without in turn."""
    without = replace(config, halting=HaltingConfig())
    merging = replace(without, merge_gamma=round(config.tokens * 25 / 64))
    compared = [(each, networks.our_graphs(each)) for each in (merging, without)]
    advice = "warns" if merging_advice(merging) else "silent"
    return rows_of(compared, thinned_batch(1.0, config), advice, rounds, native_ops)


def thinned_batch(share: float, config: ModelConfig) -> Replay:
    """Images for the largest batch, of whose tokens that share goes on behind block 1."""
    return thinned(share, images=max(BATCHES), config=config)


def rows_of(
    compared: Sequence[tuple[ModelConfig, Graphs]],
    replay: Replay,
    chosen: str,
    rounds: int,
    native_ops: bool | None,
) -> list[Row]:
    """Two networks in turn, at every batch."""
    config, rows = compared[0][0], []
    for batch in BATCHES:
        networks = [
            Ours(each, graphs, replay, batch=batch, threads=1, native_ops=native_ops)
            for each, graphs in compared
        ]
        times = in_turn([partial(process_ms, each) for each in networks], rounds)
        rows.append(row_of(config, batch, times, chosen))
    return rows


def process_ms(network: Ours) -> float:
    """Process time per image, milliseconds."""
    return timed(network)["cpu_ms"]


def row_of(config: ModelConfig, batch: int, times: Sequence[float], chosen: str) -> Row:
    """Milliseconds per image of two networks at one shape, and what the exporter does there."""
    first, second = times
    figures = {
        "dim": config.dim,
        "tokens": config.tokens,
        "batch": batch,
        "first_ms": first,
        "second_ms": second,
        "gain": second / first,
        "chosen": chosen,
    }
    return Row(f"{config.dim} x {config.tokens}", figures)


def merging_table() -> Table:
    """All shapes, and what the exporter says of merging there."""
    title = "static, 25 of 64 tokens merge in every block; process time per image"
    return Table(title, columns("merging ms", "without ms", "gain", "exporter"))


def table() -> Table:
    """All shapes, and what the exporter chooses there."""
    title = f"{SHARE:.0%} of the tokens halt after block 1; process time per image"
    return Table(title, columns("packed ms", "dense ms", "dense / packed", "auto"))


def columns(first: str, second: str, gained: str, chosen: str) -> list[Column]:
    """Return the columns of both tables."""
    return [
        number("width", "dim", ".0f"),
        number("tokens", "tokens", ".0f"),
        number("batch", "batch", ".0f"),
        number(first, "first_ms", ".3f"),
        number(second, "second_ms", ".3f"),
        number(gained, "gain"),
        words(chosen, "chosen"),
    ]


if __name__ == "__main__":
    sys.exit(run_command(main))
