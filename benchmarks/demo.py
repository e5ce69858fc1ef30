"""The main job in one command: train, export, run with early exit; prints one table.

    make demo                            (python -m benchmarks.demo)
    python -m benchmarks.demo --check    exit status 1 unless every expectation is met

Trains on scikit-learn's scanned digits, static, then with halting, then with merging; exports each;
chooses the exit threshold on the validation split; runs the test images through `runtime.Engine`.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from benchmarks.common.table import Row, Table, console
from benchmarks.common.trained import (
    as_inputs,
    choose_threshold,
    evaluated,
    summarise,
    train_and_export,
)
from runtime import Engine
from spikehalt.commands import Parser
from spikehalt.commands import run as run_command
from train.data import Dataset, load_data
from train.recipes import load_recipe

ROUNDS = 5
EXPECTED = {
    "static": "accuracy ≥ 97 %",
    "halting": "accuracy ≥ 96.5 % at ≤ 0.80 × tokens",
    "halting + merging": "fewer tokens than halting",
    "halting + early exit": "≤ 2.0 timesteps within 0.5 points of halting",
}


@dataclass(frozen=True)
class Candidate:
    """A bundle and how it is run."""

    name: str
    bundle: Path
    policy: str | None


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    parser = Parser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--out", default="demo-out", help="folder for checkpoints and bundles")
    parser.add_argument("--check", action="store_true", help="fail unless expectations are met")
    arguments = parser.parse_args(argv)
    started = time.perf_counter()
    # The tensors are tiny: a second thread gains little, and loses much where cores are shared.
    torch.set_num_threads(1)
    out = Path(arguments.out)
    config = replace(load_recipe("digits"), out=str(out))
    bundles = train_and_export(config, out)
    data = load_data(config.data, config.model, config.seed)
    choose_threshold(bundles["halting"], data.validation)
    rows = measure(candidates(bundles), data)
    table().print(rows)
    met = verdicts(rows)
    for name, ok in met.items():
        console.print(f"  {'met' if ok else 'MISSED'}: {name}: {EXPECTED[name]}", highlight=False)
    console.print(closing(out, time.perf_counter() - started), highlight=False)
    return 1 if arguments.check and not all(met.values()) else 0


def candidates(bundles: dict[str, Path]) -> list[Candidate]:
    """The four lines of the table."""
    return [
        Candidate("static", bundles["static"], "never"),
        Candidate("halting", bundles["halting"], "never"),
        Candidate("halting + merging", bundles["merging"], "never"),
        Candidate("halting + early exit", bundles["halting"], None),  # the calibrated policy
    ]


def measure(runs: list[Candidate], data: Dataset) -> list[Row]:
    """Every candidate on the test images, in alternating rounds after a warm-up round."""
    images, labels = as_inputs(data.test), data.test.labels.numpy()
    engines = [Engine(each.bundle, policy=each.policy) for each in runs]
    seconds: list[list[float]] = [[] for _ in runs]
    results: list[Any] = [engine(images) for engine in engines]
    for _ in track(range(ROUNDS), "measuring", transient=True, console=console):
        for index, engine in enumerate(engines):
            begin = time.perf_counter()
            results[index] = engine(images)
            seconds[index].append(time.perf_counter() - begin)
    for engine in engines:
        engine.close()
    return [
        summarise(each.name, result, labels, statistics.median(times))
        for each, result, times in zip(runs, results, seconds, strict=False)
    ]


def table() -> Table:
    """The demo's one table."""
    return Table(
        "360 test images, ONNX Runtime on this CPU",
        evaluated(energy=".2f"),
        "tokens, timesteps: averages",
    )


def verdicts(rows: list[Row]) -> dict[str, bool]:
    """Which expectations hold."""
    static, halting, merging, early = rows
    return {
        "static": static["accuracy"] >= 0.97,
        "halting": halting["accuracy"] >= 0.965 and halting["tokens"] <= 0.8,
        "halting + merging": merging["tokens"] < halting["tokens"],
        "halting + early exit": early["timesteps"] <= 2.0
        and early["accuracy"] >= halting["accuracy"] - 0.005,
    }


def closing(out: Path, seconds: float) -> str:
    """Where things are and how to run them again."""
    return (
        f"energy is an estimate: 4.6 pJ per multiply-accumulate, 0.9 pJ per accumulate, "
        f"measured firing rates, no memory access\n{seconds:.0f} s in all. Left in {out}/:\n"
        f"  python export/to_trt.py {out}/halting.pt --onnx-only --out {out}/again.bundle\n"
        f"  python -m runtime info {out}/halting.bundle\n"
        f"  python -m runtime bench {out}/halting.bundle"
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
