"""Every number of the zoo's table again, from its checkpoints through exported bundles.

    make zoo-eval DATA=cifar10.zip               (python -m benchmarks.zoo --data cifar10.zip)
    python -m benchmarks.zoo --data cifar10.zip --update    writes zoo/results.json anew

Exports each checkpoint, chooses the exit threshold on its validation split, runs the test images
through `runtime.Engine` and compares with zoo/results.json; exit status 1 where a figure differs.
A zoo checkpoint names its recipe, its seed and how its images were split, so only the images are
asked for: a folder or zip of `train/<class>/…` and `test/<class>/…`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.common.table import Row, Table, console
from benchmarks.common.trained import (
    ZOO,
    as_pixels,
    choose_threshold,
    evaluated,
    images_of,
    summarise,
)
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from spikehalt.vocabulary import Precision
from train.data import Dataset

RESULTS = ZOO / "results.json"
BATCH = 200
# Processors round float sums differently, and a threshold function amplifies it: images at the
# margin may change sides. A figure is the same within these.
TOLERANCES = {"accuracy": 0.002, "tokens": 0.005, "timesteps": 0.02}


@dataclass(frozen=True)
class Entry:
    """One line of the table: a checkpoint, its precision, and whether images exit early."""

    name: str
    checkpoint: str
    precision: Precision = "fp32"
    exits: bool = False


ENTRIES = (
    Entry("static", "static"),
    Entry("static + early exit", "static", exits=True),
    Entry("halting", "halting"),
    Entry("halting + early exit", "halting", exits=True),
    Entry("halting + merging", "merging"),
    Entry("halting + merging + early exit", "merging", exits=True),
    Entry("halting, int8", "halting", "int8"),
    Entry("halting + early exit, int8", "halting", "int8", exits=True),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate the zoo; returns the exit status."""
    arguments = parser().parse_args(argv)
    folder = ZOO / "cifar10-small"
    data = images_of(folder / "static.pt", arguments.data)
    rows = evaluate(folder, data)
    table(len(data.test)).print(rows)
    if arguments.update:
        content = {row.name: {figure: row[figure] for figure in TOLERANCES} for row in rows}
        RESULTS.write_text(json.dumps(content, indent=2) + "\n")
        console.print(f"written: {RESULTS.name}", highlight=False)
        return 0
    differences = compare(rows, json.loads(RESULTS.read_text()))
    for line in differences or ["every figure is that of zoo/results.json"]:
        console.print(line, highlight=False)
    return 1 if differences else 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.zoo", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("--data", required=True, metavar="PATH", help="CIFAR-10 as folder or zip")
    p.add_argument("--update", action="store_true", help="write zoo/results.json anew")
    return p


def evaluate(folder: Path, data: Dataset) -> list[Row]:
    """All lines, on the test images."""
    images, labels = as_pixels(data.test), data.test.labels.numpy()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        bundles: dict[tuple[str, Precision], Path] = {}
        for entry in track(ENTRIES, "evaluating", transient=True, console=console):
            key = (entry.checkpoint, entry.precision)
            if key not in bundles:
                bundles[key] = export_bundle(
                    folder / f"{entry.checkpoint}.pt",
                    Path(temporary) / f"{entry.checkpoint}-{entry.precision}.bundle",
                    ExportOptions(precision=entry.precision),
                ).root
                choose_threshold(bundles[key], data.validation)
            rows.append(run(entry, bundles[key], images, labels))
    return rows


def run(entry: Entry, bundle: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Row:
    """One line."""
    with Engine(bundle, policy=None if entry.exits else "never", max_batch=BATCH) as engine:
        engine(images[:BATCH])  # warm-up
        begin = time.perf_counter()
        result = engine(images)
        return summarise(entry.name, result, labels, time.perf_counter() - begin)


def compare(rows: Sequence[Row], recorded: dict[str, dict[str, float]]) -> list[str]:
    """What differs from the recorded figures beyond TOLERANCES, a sentence each."""
    found = {row.name: row for row in rows}
    if set(found) != set(recorded):
        odd = ", ".join(sorted(set(found) ^ set(recorded)))
        return [f"zoo/results.json has other lines ({odd}): run with --update"]
    return [
        f"{name}: {figure} is {found[name][figure]:.4f}, recorded is {expected[figure]:.4f}"
        for name, expected in recorded.items()
        for figure, tolerance in TOLERANCES.items()
        if abs(found[name][figure] - expected[figure]) > tolerance
    ]


def table(images: int) -> Table:
    """The zoo's table."""
    title = f"cifar10-small, {images:,} test images, ONNX Runtime on this CPU"
    return Table(title, evaluated(energy=".1f"))


if __name__ == "__main__":
    sys.exit(main())
