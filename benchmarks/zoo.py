"""Every number of the zoo's tables again, from its checkpoints through exported bundles.

    make zoo-eval DATA=cifar10.zip TINY=tiny-imagenet-200 EVENTS=dvs
    python -m benchmarks.zoo --data cifar10.zip --only cifar10-small        one set
    python -m benchmarks.zoo --events dvs --update             writes its part of zoo/results.json

Exports each checkpoint, chooses the exit threshold on its validation split, runs the test images
through `runtime.Engine` and compares with zoo/results.json; exit status 1 where a figure differs.
A zoo checkpoint names its recipe, its seed and how its images were split, so only the images are
asked for: a folder or zip of `train/<class>/…` and `test/<class>/…`, of frames for events;
Tiny-ImageNet as it is distributed.

How hard an image is says the static network's probability of its answer: "hard ÷ easy" is the
computation of the quarter it is least sure of over that of the quarter it is surest of.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from benchmarks.common import command_line
from benchmarks.common.table import Row, Table, console, number, words
from benchmarks.common.trained import (
    ZOO,
    as_inputs,
    choose_threshold,
    evaluated,
    images_of,
    summarise,
)
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine, Result
from spikehalt.commands import run as run_command
from spikehalt.vocabulary import Precision
from train.data import Dataset
from train.measure.adaptivity import adaptivity, exit_histogram, standard_error

RESULTS = ZOO / "results.json"
BATCH = 200
# Processors round float sums differently, and a threshold function amplifies it: images at the
# margin may change sides. A figure is the same within these.
TOLERANCES = {"accuracy": 0.002, "top5": 0.002, "tokens": 0.005, "timesteps": 0.02}


@dataclass(frozen=True)
class Entry:
    """One line of the table: a checkpoint, how it is exported, and whether images exit early."""

    name: str
    checkpoint: str
    precision: Precision = "fp32"
    exits: bool = False
    merge_threshold: float | None = None

    @property
    def options(self) -> ExportOptions:
        """Of the bundle that it runs."""
        return ExportOptions(precision=self.precision, merge_threshold=self.merge_threshold)


class ZooSet(NamedTuple):
    """A folder of the zoo.

    Attributes:
        option: of the command, which names its images.
        images: what they are called beside every figure.
        entries: lines of its table; the first is the static network.
        top5: whether the true class among five guesses is a figure of its table.
    """

    option: str
    images: str
    entries: tuple[Entry, ...]
    top5: bool = False


_STATIC = (Entry("static", "static"), Entry("static + early exit", "static", exits=True))
_HALTING = (Entry("halting", "halting"), Entry("halting + early exit", "halting", exits=True))
_INT8 = (
    Entry("halting, int8", "halting", "int8"),
    Entry("halting + early exit, int8", "halting", "int8", exits=True),
)
_HALTING_1D = (
    Entry("halting 1-D", "halting-1d"),
    Entry("halting 1-D + early exit", "halting-1d", exits=True),
)
_MERGING_SIMILAR = (
    Entry("halting + merging, τ 0.9", "halting", merge_threshold=0.9),
    Entry("halting + merging, τ 0.9 + early exit", "halting", exits=True, merge_threshold=0.9),
)
_MERGING = (
    Entry("halting + merging", "merging"),
    Entry("halting + merging + early exit", "merging", exits=True),
)
_SILENT = (
    Entry("silent", "silent"),
    Entry("silent + early exit", "silent", exits=True),
    Entry("silent, int8", "silent", "int8"),
    Entry("silent + early exit, int8", "silent", "int8", exits=True),
)
SETS = {
    "cifar10-small": ZooSet(
        "data",
        "test images of CIFAR-10 (JPEG)",
        (*_STATIC, *_HALTING, *_MERGING, *_INT8, *_SILENT),
    ),
    "cifar10-medium": ZooSet(
        "data",
        "test images of CIFAR-10 (JPEG)",
        (*_STATIC, *_HALTING, *_MERGING_SIMILAR, *_INT8),
    ),
    "tiny-imagenet-medium": ZooSet(
        "tiny", "test images of Tiny-ImageNet-200", (*_STATIC, *_HALTING, *_INT8), top5=True
    ),
    "dvs128-objects": ZooSet(
        "events",
        "test windows of DVS128 objects (2 sessions)",
        (*_STATIC, *_HALTING, *_HALTING_1D, *_INT8),
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate the zoo; returns the exit status."""
    arguments = parser().parse_args(argv)
    recorded = json.loads(RESULTS.read_text())
    differences = []
    for name in arguments.only:
        path = getattr(arguments, SETS[name].option)
        if path is None:
            continue
        data = images_of(ZOO / name / "static.pt", path)
        rows = evaluate(name, data)
        table(name, len(data.test)).print(rows)
        differences += compare(name, rows, recorded.get(name, {}))
        recorded[name] = {row.name: compared(row) for row in rows}
    if arguments.update:
        ordered = {name: recorded[name] for name in SETS if name in recorded}
        RESULTS.write_text(json.dumps(ordered, indent=2) + "\n")
        console.print(f"written: {RESULTS.name}", highlight=False)
        return 0
    for line in differences or ["every figure is that of zoo/results.json"]:
        console.print(line, highlight=False)
    return 1 if differences else 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.zoo", __doc__)
    for part in {part.option: part for part in SETS.values()}.values():
        p.add_argument(f"--{part.option}", metavar="PATH", help=part.images)
    p.add_argument("--only", nargs="+", choices=SETS, default=[*SETS], help="sets (default: all)")
    p.add_argument("--update", action="store_true", help="write zoo/results.json anew")
    return p


def evaluate(name: str, data: Dataset) -> list[Row]:
    """All lines of a set, on the test images."""
    images, labels = as_inputs(data.test), data.test.labels.numpy()
    rows: list[Row] = []
    confidence: Tensor | None = None
    with tempfile.TemporaryDirectory() as temporary:
        bundles: dict[tuple[str, ExportOptions], Path] = {}
        for entry in track(SETS[name].entries, "evaluating", transient=True, console=console):
            key = (entry.checkpoint, entry.options)
            if key not in bundles:
                bundles[key] = export_bundle(
                    ZOO / name / f"{entry.checkpoint}.pt",
                    Path(temporary) / f"{len(bundles)}.bundle",
                    entry.options,
                ).root
                choose_threshold(bundles[key], data.validation)
            result, seconds = run(entry, bundles[key], images)
            if confidence is None:
                confidence = torch.from_numpy(result.probabilities.max(-1))
            row = summarise(entry.name, result, labels, seconds)
            more = worth(row, result, confidence)
            if SETS[name].top5:
                more["top5"] = among_five(result.probabilities, labels)
            rows.append(replace(row, figures={**row.figures, **more}))
    return rows


def run(entry: Entry, bundle: Path, images: NDArray[Any]) -> tuple[Result, float]:
    """An engine's answers to all images, and the seconds it took."""
    with Engine(bundle, policy=None if entry.exits else "never", max_batch=BATCH) as engine:
        engine(images[:BATCH])  # warm-up
        begin = time.perf_counter()
        return engine(images), time.perf_counter() - begin


def worth(row: Row, result: Result, confidence: Tensor) -> dict[str, Any]:
    """The error of a line's accuracy, and how its computation follows the image.

    Args:
        row: the line.
        result: the answers to all images.
        confidence: the static network's probability of its answer [N].
    """
    manifest = result.manifest
    everything = manifest.tokens * manifest.blocks * manifest.timesteps
    used = torch.from_numpy(result.live_tokens.sum((1, 2), dtype=np.float64) / everything)
    found = adaptivity(used, confidence)
    exits = exit_histogram(torch.from_numpy(result.timesteps), manifest.timesteps)
    return {
        "standard_error": standard_error(row["accuracy"], len(result)),
        "hard_over_easy": found.ratio,
        "rank_correlation": found.rank_correlation,
        "exits": " ".join(f"{share:.2f}" for share in exits),
    }


def among_five(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The share of images whose true class is among the five most probable of [N, N_c]."""
    best = np.argpartition(probabilities, -5, axis=-1)[:, -5:]
    return float((best == labels[:, None]).any(-1).mean())


def compared(row: Row) -> dict[str, float]:
    """The figures of a line that are recorded."""
    return {figure: row[figure] for figure in TOLERANCES if figure in row.figures}


def compare(
    name: str, rows: Sequence[Row], recorded: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """What differs from a set's recorded figures beyond TOLERANCES, a sentence each."""
    found = {row.name: row for row in rows}
    if set(found) != set(recorded):
        odd = ", ".join(sorted(set(found) ^ set(recorded)))
        return [f"zoo/results.json has other lines of {name} ({odd}): run with --update"]
    return [
        f"{name}, {line}: {figure} is {value:.4f}, recorded is {expected[figure]:.4f}"
        for line, expected in recorded.items()
        for figure, value in compared(found[line]).items()
        if abs(value - expected[figure]) > TOLERANCES[figure]
    ]


def table(name: str, images: int) -> Table:
    """A set's table."""
    title = f"{name}, {images:,} {SETS[name].images}, ONNX Runtime on this CPU"
    line, accuracy, *others = evaluated(energy=".1f")
    error = number("±", "standard_error", ".2%")
    follows = (number("hard ÷ easy", "hard_over_easy"), number("rank corr.", "rank_correlation"))
    five = (number("top-5", "top5", ".2%"),) if SETS[name].top5 else ()
    exits = words("exits at t = 1, 2, …", "exits")
    columns = [line, accuracy, error, *five, *others, *follows, exits]
    return Table(title, columns)


if __name__ == "__main__":
    sys.exit(run_command(main))
