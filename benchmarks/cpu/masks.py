"""What do live masks cost? The same network exported with them and without, in turn.

    python -m benchmarks.cpu.masks                     a few minutes
    python -m benchmarks.cpu.masks --rounds 61         steadier

The zoo's small CIFAR-10 model and the `spikformer-4-384` shape (random weights, the same halting),
on noise, all timesteps, one thread. Every round opens the sessions anew, since where their memory
lies weighs more than the masks, and takes the least process time of a few slices in turn.

    given out    a bundle that has them while nobody asks: what every call pays
    asked for    the same, called with `live_masks=True`

Figures are medians, over the rounds, of the time over that of the bundle without masks in the same
round; ± is the standard error, from as many rounds drawn again and again out of those measured
(bootstrap).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.common import command_line, native, networks
from benchmarks.common.table import Column, Row, Table, console, number, words
from benchmarks.common.trained import ZOO_HALTING
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Bundle, Engine
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from spikehalt.vocabulary import Layout
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

LAYOUTS: tuple[Layout, ...] = ("packed", "dense")
BASE, GIVEN, ASKED = "without", "given out", "asked for"
DRAWS, SLICES, SLICE_S = 400, 5, 0.05
Call = Callable[[], object]
Times = Mapping[str, Sequence[float]]  # candidate -> milliseconds per image, a value per round


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_line.parser("benchmarks.cpu.masks", __doc__)
    parser.add_argument("--rounds", type=whole(1), default=15)
    parser.add_argument("--batch", type=whole(1), nargs="+", default=[1, 8], metavar="N")
    native.add_option(parser)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        cases = list(product(checkpoints(Path(folder)), LAYOUTS, options.batch))
        rows = [
            row_of(
                f"{path.stem}, {layout}, batch {batch}",
                measure(path, layout, batch, options.rounds, options.native_ops),
            )
            for path, layout, batch in track(cases, "measuring", transient=True, console=console)
        ]
    console.print(f"ours: {native.in_words(options.native_ops)}", highlight=False)
    table().print(rows)
    return 0


def checkpoints(folder: Path) -> list[Path]:
    """The zoo's small model, and one of a usual size with the same halting."""
    small = load_checkpoint(ZOO_HALTING)
    config = networks.config_of("isps", halting=False)
    config = replace(config, halting=small.model.halting, classes=small.model.classes)
    state = networks.random_network(config).state_dict()
    paths = [folder / f"{networks.MODEL}.pt", folder / "zoo.pt"]
    save_checkpoint(paths[0], Checkpoint(config, state, small.classes, "halting"))
    paths[1].write_bytes(ZOO_HALTING.read_bytes())
    return paths


def measure(
    checkpoint: Path, layout: Layout, batch: int, rounds: int, native_ops: bool | None
) -> Times:
    """All three candidates, in sessions that every round opens anew."""
    images = np.random.default_rng(0).integers(0, 256, (batch, 32, 32, 3), np.uint8)
    bundles = [exported(checkpoint, layout, masks) for masks in (False, True)]
    found: dict[str, list[float]] = {name: [] for name in (BASE, GIVEN, ASKED)}
    for turn in range(rounds):
        with ExitStack() as stack:
            order = (0, 1) if turn % 2 else (1, 0)  # who is opened first lies elsewhere in memory
            opened = {
                which: stack.enter_context(
                    Engine(
                        bundles[which], policy="never", threads=1, spin=False, native_ops=native_ops
                    )
                )
                for which in order
            }
            calls: dict[str, Call] = {
                BASE: partial(opened[0], images),
                GIVEN: partial(opened[1], images),
                ASKED: partial(opened[1], images, live_masks=True),
            }
            for name, ms in least_ms(calls).items():
                found[name].append(ms / batch)
    return found


def exported(checkpoint: Path, layout: Layout, masks: bool) -> Bundle:
    """The bundle with live masks or without."""
    place = checkpoint.with_suffix(f".{layout}.{masks}.bundle")
    if not place.exists():
        export_bundle(checkpoint, place, ExportOptions(layout=layout, live_masks=masks))
    return Bundle.open(place)


def least_ms(calls: Mapping[str, Call]) -> dict[str, float]:
    """Least process time of each call, over slices in which they take turns."""
    for call in calls.values():
        call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(SLICES):
        for name, call in calls.items():
            found[name].append(slice_ms(call))
    return {name: min(values) for name, values in found.items()}


def slice_ms(call: Call) -> float:
    """Mean process time of a call, milliseconds, over at least SLICE_S seconds."""
    begin, count = time.process_time(), 0
    while (spent := time.process_time() - begin) < SLICE_S:
        call()
        count += 1
    return 1e3 * spent / count


def row_of(name: str, times: Times) -> Row:
    """What the two with masks cost, as shares of the one without."""
    figures = {"ms": statistics.median(times[BASE])}
    for candidate in (GIVEN, ASKED):
        ratios = np.divide(times[candidate], times[BASE])
        drawn = np.random.default_rng(0).choice(ratios, (DRAWS, len(ratios)))
        figures[candidate] = float(np.median(ratios)) - 1
        figures[f"{candidate} ±"] = float(np.median(drawn, axis=1).std())
    return Row(name, figures)


def table() -> Table:
    """All cases."""
    columns: list[Column] = [words("network"), number("ms per image", "ms", ".3f")]
    for candidate in (GIVEN, ASKED):
        columns += [number(f"{candidate} %", candidate, "+.2f", 100)]
        columns += [number("±", f"{candidate} ±", ".2f", 100)]
    return Table("live masks: process time beside the same bundle without them", columns)


if __name__ == "__main__":
    sys.exit(run_command(main))
