"""Accuracy against tokens of a network that was trained without halting; one table, one figure.

    python -m benchmarks.adapt --data cifar10.zip                     the zoo's CIFAR-10 model
    python -m benchmarks.adapt --static STATIC --halting HALTING --data … --images 2000
    python -m benchmarks.adapt --data cifar10.zip --figure curve.svg

No method but `trained` changes a weight or sees a label. The droppers run the same share of the
tokens behind block 1, in PyTorch: no graph drops tokens at fixed rates, so they have no time per
image. All others run through exported bundles, all timesteps, on one core, in batches.

Finished points are read from --out and not measured again. "As static" is the share of the images
with the static network's answer; between methods it varies less by chance than accuracy does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import command_line
from benchmarks.common.table import Row, Table, number, words
from benchmarks.common.trained import ZOO, as_inputs
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from spikehalt.commands import Parser, whole
from spikehalt.commands import run as run_command
from spikehalt.files import make_folder
from train.adapting.adapt import adapt
from train.baselines.build import build_network
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.config import DropConfig
from train.data import Dataset, Split, a_few
from train.figures.canvas import canvas, check_suffix, write
from train.measure.adaptivity import standard_error
from train.measure.evaluate import live_tokens
from train.measure.splits import checkpoint_data
from train.parallel.devices import exact_float32

DROPPERS = {"random": "random", "activity": "fixed, by activity", "anchor": "STATA-like"}
FORECAST, TRAINED, STATIC = "forecasts", "trained halting", "static"
BATCH = 100
Labels = NDArray[np.int64]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is not measured yet, print the table; returns the exit status."""
    arguments = parser().parse_args(argv)
    if arguments.figure:
        check_suffix(arguments.figure)
    make_folder(arguments.out)
    static = load_checkpoint(arguments.static)
    data = checkpoint_data(static, arguments.data or "")
    test = data.test.take(a_few(data.test, arguments.images))
    assert isinstance(test, Split)
    rows = measured(arguments, static, data, test)
    table(len(test)).print(rows)
    if arguments.figure:
        write(drawn(rows, len(test)), arguments.figure)
    return 0


def parser() -> Parser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.adapt", __doc__)
    zoo = ZOO / "cifar10-small"
    p.add_argument("--static", default=str(zoo / "static.pt"), help="checkpoint without halting")
    p.add_argument("--halting", help="the same network, trained with halting", metavar="CKPT")
    p.add_argument("--data", metavar="PATH", help="its images, where they moved")
    p.add_argument("--images", type=whole(1), default=10_000, help="test images, at most")
    p.add_argument("--tokens", type=float, nargs="+", default=[0.8, 0.6, 0.45], metavar="SHARE")
    p.add_argument(
        "--count", type=whole(2), default=256, help="images that forecasts are fitted to"
    )
    p.add_argument("--out", type=Path, default=Path("runs/adapt"), help="folder of the results")
    p.add_argument("--figure", type=Path, metavar="FILE", help="draw the curves there")
    return p


def measured(
    arguments: argparse.Namespace, static: Checkpoint, data: Dataset, test: Split
) -> list[Row]:
    """Every point, the static network first."""
    out: Path = arguments.out

    def point(name: str, what: str, measure: Callable[[], dict[str, Any]]) -> Row:
        file = out / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps(measure()))
        return Row(name, json.loads(file.read_text()), what)

    first = point(STATIC, STATIC, lambda: through_bundle(static, out / "static.pt", test))
    rows = [first]
    for share in arguments.tokens:
        for kind, what in DROPPERS.items():
            name = f"{kind}-{share:g}"
            rows.append(point(name, what, lambda k=kind, s=share: dropped(static, test, k, s)))  # type: ignore[misc]
        rows.append(
            point(
                f"forecast-{share:g}",
                FORECAST,
                lambda s=share: through_bundle(  # type: ignore[misc]
                    adapted(static, data, s, arguments.count), out / f"forecast-{s:g}.pt", test
                ),
            )
        )
    if arguments.halting:
        halting = load_checkpoint(arguments.halting)
        rows.append(
            point(TRAINED, TRAINED, lambda: through_bundle(halting, out / "trained.pt", test))
        )
    return [compared(row, first, test) for row in rows]


def adapted(static: Checkpoint, data: Dataset, share: float, count: int) -> Checkpoint:
    """The checkpoint with forecasts, fitted to images of the training split."""
    images = data.train.take(a_few(data.train, count))
    assert isinstance(images, Split)
    return adapt(static, images, share).checkpoint


def through_bundle(checkpoint: Checkpoint, path: Path, test: Split) -> dict[str, Any]:
    """Answers of an exported bundle to all images."""
    save_checkpoint(path, checkpoint)
    bundle = export_bundle(path, path.with_suffix(".bundle"), ExportOptions(), force=True).root
    images = as_inputs(test)
    with Engine(bundle, policy="never", max_batch=BATCH, threads=1) as engine:
        engine(images[:BATCH])  # warm-up
        begin = time.perf_counter()
        result = engine(images)
        seconds = time.perf_counter() - begin
    return {
        "labels": result.labels.tolist(),
        "tokens": float(result.average_tokens.mean()),
        "ms": 1000 * seconds / len(test),
    }


@torch.no_grad()
@exact_float32()
def dropped(static: Checkpoint, test: Split, kind: str, share: float) -> dict[str, Any]:
    """Answers of the static network with tokens dropped behind block 1 at a fixed rate."""
    depth = static.model.depth
    kept = (share * depth - 1) / (depth - 1)
    drop = DropConfig(kind, (1.0, *[kept] * (depth - 1)))  # type: ignore[arg-type]
    network = build_network(replace(static.model, drop=drop)).eval()
    network.load_state_dict(static.weights)
    labels, tokens = [], []
    for batch in test.images.split(BATCH):
        output = network(batch)
        labels += output.logits[-1].argmax(-1).tolist()
        tokens.append(live_tokens(output).mean((1, 2)) / static.model.tokens)
    return {"labels": labels, "tokens": float(torch.cat(tokens).mean())}


def compared(row: Row, static: Row, test: Split) -> Row:
    """The row with accuracy, its error, and agreement with the static network."""
    labels: Labels = np.asarray(row.figures["labels"])
    accuracy = float((labels == test.labels.numpy()).mean())
    figures = {
        **row.figures,
        "accuracy": accuracy,
        "error": standard_error(accuracy, len(test)),
        "agreement": float((labels == np.asarray(static.figures["labels"])).mean()),
    }
    return replace(row, figures=figures)


def table(images: int) -> Table:
    """The comparison."""
    columns = [
        words("method"), number("tokens", "tokens", ".3f"), number("accuracy", "accuracy", ".2%"),
        number("±", "error", ".2%"), number("as static", "agreement", ".2%"),
        number("ms/image", "ms", ".3f"),
    ]  # fmt: skip
    return Table(f"{images:,} test images, all timesteps, one core", columns)


def drawn(rows: Sequence[Row], images: int) -> Any:
    """Accuracy over tokens, a line per method."""
    figure, axes = canvas(5.4, 3.6)
    axis = axes[0][0]
    for what in dict.fromkeys(row.what for row in rows):
        points = sorted((row["tokens"], 100 * row["accuracy"]) for row in rows if row.what == what)
        axis.plot(*zip(*points, strict=True), marker="o", label=what)
    axis.set_xlabel("live tokens over all tokens")
    axis.set_ylabel(f"accuracy in % ({images:,} images)")
    axis.legend()
    return figure


if __name__ == "__main__":
    sys.exit(run_command(main))
