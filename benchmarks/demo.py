"""The main job in one command: train, export, run with early exit; prints one table.

    make demo                            (python -m benchmarks.demo)
    python -m benchmarks.demo --check    exit status 1 unless every expectation is met

Trains on scikit-learn's scanned digits, static, then with halting, then with merging; exports each;
chooses the exit threshold on the validation split; runs the test images through `runtime.Engine`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from export.bundle.write import export_bundle
from runtime import Engine
from runtime.bundle import Bundle, update_manifest
from runtime.calibration import Goal, Observed, calibrate
from train.checkpoint import load_checkpoint
from train.config import TrainConfig
from train.data import Dataset, ImageSource, Split, load_data
from train.loop.run import run
from train.recipes import load_recipe

console = Console()
ROUNDS = 5
MAX_DROP = 0.005
EXPECTED = {
    "static": "accuracy ≥ 97 %",
    "halting": "accuracy ≥ 96.5 % at ≤ 0.80 × tokens",
    "halting + merging": "fewer tokens than halting",
    "halting + early exit": "≤ 2.0 timesteps within 0.5 points of halting",
}


@dataclass(frozen=True)
class Row:
    """One line of the table, measured on the test images through the engine."""

    name: str
    accuracy: float
    tokens: float
    timesteps: float
    images_per_s: float
    energy_mj: float


@dataclass(frozen=True)
class Candidate:
    """A bundle and how it is run."""

    name: str
    bundle: Path
    policy: str | None


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
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
    console.print(table(rows))
    met = verdicts(rows)
    for name, ok in met.items():
        console.print(f"  {'met' if ok else 'MISSED'}: {name}: {EXPECTED[name]}", highlight=False)
    console.print(closing(out, time.perf_counter() - started), highlight=False)
    return 1 if arguments.check and not all(met.values()) else 0


def train_and_export(config: TrainConfig, out: Path) -> dict[str, Path]:
    """Bundles by name: static, halting, and halting with merging (a short third training)."""
    console.print("training on scanned digits: static, then with halting", highlight=False)
    checkpoints = run(config).checkpoints
    console.print("then with merging on top", highlight=False)
    merging = replace(
        config,
        model=replace(config.model, merge_gamma=2),
        static=replace(config.static, epochs=0),
        halting=replace(config.halting, epochs=max(1, config.halting.epochs // 2)),
        out=str(out / "merging"),
    )
    merged = run(merging, start=load_checkpoint(checkpoints["halting"])).checkpoints["halting"]
    files = {"static": checkpoints["static"], "halting": checkpoints["halting"], "merging": merged}
    return {name: export_bundle(path, out / f"{name}.bundle").root for name, path in files.items()}


def choose_threshold(path: Path, validation: ImageSource) -> None:
    """Calibrate on the validation split, never on the test images, and write it into the bundle."""
    with Engine(path, policy="never") as engine:
        trajectory = engine.record(as_pixels(validation))
        manifest = engine.manifest
    observed = Observed(
        manifest=manifest, trajectory=trajectory,
        labels=validation.labels.numpy(), epsilon=manifest.halting.epsilon,
    )  # fmt: skip
    found = calibrate(manifest, [observed], Goal(max_drop=MAX_DROP))
    update_manifest(path, found.apply(Bundle.open(path).manifest, "validation split"))


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
    images, labels = as_pixels(data.test), data.test.labels.numpy()
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


def summarise(name: str, result: Any, labels: NDArray[np.int64], seconds: float) -> Row:
    """One row from an engine's result."""
    return Row(
        name=name,
        accuracy=float((result.labels == labels).mean()),
        tokens=float(result.average_tokens.mean()),
        timesteps=float(result.timesteps.mean()),
        images_per_s=len(labels) / seconds,
        energy_mj=float(result.energy_mj.mean()),
    )


def as_pixels(split: ImageSource) -> NDArray[np.uint8]:
    """uint8 [N, C, H, W] -> [N, H, W, C], what a camera gives."""
    assert isinstance(split, Split), "the sets of the demo and the zoo are small: never streamed"
    return np.ascontiguousarray(split.images.numpy().transpose(0, 2, 3, 1))


def table(rows: list[Row]) -> Table:
    """The demo's one table."""
    result = Table(
        title="360 test images, ONNX Runtime on this CPU", caption="tokens, timesteps: averages"
    )
    for title in ("", "accuracy", "tokens", "timesteps", "images/s", "µJ/image"):
        result.add_column(title, justify="right" if title else "left", no_wrap=True)
    for row in rows:
        result.add_row(
            row.name, f"{row.accuracy:.2%}", f"{row.tokens:.3f}", f"{row.timesteps:.2f}",
            f"{row.images_per_s:,.0f}", f"{row.energy_mj * 1000:.2f}",
        )  # fmt: skip
    return result


def verdicts(rows: list[Row]) -> dict[str, bool]:
    """Which expectations hold."""
    static, halting, merging, early = rows
    return {
        "static": static.accuracy >= 0.97,
        "halting": halting.accuracy >= 0.965 and halting.tokens <= 0.8,
        "halting + merging": merging.tokens < halting.tokens,
        "halting + early exit": early.timesteps <= 2.0
        and early.accuracy >= halting.accuracy - 0.005,
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
    sys.exit(main())
