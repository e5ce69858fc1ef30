"""What makes halting depend on the image: short halting runs from one static network; one table.

    python -m benchmarks.studies.adaptivity zoo/cifar10-small/static.pt --data cifar10.zip
    python -m benchmarks.studies.adaptivity STATIC --data cifar10.zip --images 16000 --only one
    python -m benchmarks.studies.adaptivity demo-out/static.pt --epochs 8    scanned digits, minutes

Every variant trains its halting epochs from the same static weights, on the same images with the
same recipe but for what its row says, and is measured on the same test images. Finished variants
are read from --out and not trained again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import seed_everything

from benchmarks.common import command_line
from benchmarks.common.adaptivity_table import VARIANTS, Variant
from benchmarks.common.table import Row, Table, number, words
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from spikehalt.exits import NEVER
from spikehalt.strict import build
from train.checkpoint import Checkpoint, load_checkpoint
from train.config import TrainConfig
from train.data import Dataset, load_data
from train.loop.phase import Phase
from train.loop.phase.interrupt import Interrupt
from train.loop.phase.steps import train_phase
from train.loop.reports.log import CsvLog
from train.measure.adaptivity import adaptivity, computation
from train.measure.exits import exit_steps, record
from train.models import SpikingTransformer
from train.models.kernels import choose_kernels, use_kernels
from train.parallel.devices import launch
from train.recipes import merge


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is not trained yet, print the table; returns the exit status."""
    arguments = parser().parse_args(argv)
    static = load_checkpoint(arguments.static)
    base = build(TrainConfig, static.run)
    images = replace(base.data, path=arguments.data or base.data.path)
    data = subset(load_data(images, base.model, base.seed), arguments)
    confidence = record(static.network(), data.test).confidence[-1]
    rows = []
    for variant in (v for v in VARIANTS if v.name in arguments.only):
        file = Path(arguments.out) / f"{variant.name}.json"
        if not file.exists():
            network = train(variant, static, data, arguments)
            file.write_text(json.dumps(figures_of(network, data, confidence)))
        rows.append(Row(variant.name, json.loads(file.read_text()), variant.what))
    table(arguments).print(rows)
    return 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.studies.adaptivity", __doc__)
    names = [variant.name for variant in VARIANTS]
    p.add_argument("static", help="checkpoint of the static network")
    p.add_argument("--data", metavar="PATH", help="images it was trained on, where they moved")
    p.add_argument("--epochs", type=whole(1), default=1, help="of the halting phase")
    p.add_argument("--images", type=whole(1), default=16_000, help="training images of the epoch")
    p.add_argument("--test-images", type=whole(1), default=2_000)
    p.add_argument("--out", default="runs/adaptivity", help="folder of the results")
    p.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME",
        help="some of: " + "; ".join(names),
    )  # fmt: skip
    return p


def subset(data: Dataset, arguments: argparse.Namespace) -> Dataset:
    """The first training and test images, and as few validation images as a log needs."""
    test = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(0))
    return Dataset(
        data.train.take(torch.arange(min(arguments.images, len(data.train)))),
        data.validation.take(torch.arange(min(500, len(data.validation)))),
        data.test.take(test[: arguments.test_images]),
        data.classes,
    )


def train(
    variant: Variant, static: Checkpoint, data: Dataset, arguments: argparse.Namespace
) -> SpikingTransformer:
    """The halting epochs of a variant from the static weights."""
    changes: dict[str, Any] = {
        "halting": {"epochs": arguments.epochs, "image_sizes": ()},
        "out": f"{arguments.out}/{variant.name}",
        "loss": {"teacher": ""},
    }
    config = build(TrainConfig, merge(merge(static.run, changes), variant.changes))
    fabric = launch(config)
    seed_everything(config.seed, verbose=False)
    network = SpikingTransformer(config.model)
    network.load_state_dict(static.weights)
    csv = CsvLog(Path(config.out) / "log.csv", keep=False)
    with Interrupt() as interrupt, use_kernels(choose_kernels(config.compile, fabric.device)):
        phase = Phase("halting", config.halting, config, fabric, network, data, csv, interrupt)
        train_phase(phase)
    return phase.kept


def figures_of(
    network: SpikingTransformer, data: Dataset, confidence: torch.Tensor
) -> dict[str, Any]:
    """What a trained variant reaches on the test images."""
    trace = record(network, data.test)
    used = computation(trace, exit_steps(trace, NEVER.name, 0.0))
    accuracy = trace.correct.double().mean(-1).tolist()
    shares = (trace.live_tokens.mean((0, 1)) / trace.tokens).tolist()
    return {
        "first_accuracy": accuracy[0], "accuracy": accuracy[-1], "tokens": float(used.mean()),
        **asdict(adaptivity(used, confidence)),
        "blocks": " ".join(f"{share:.2f}" for share in shares),
    }  # fmt: skip


def table(arguments: argparse.Namespace) -> Table:
    """The comparison."""
    title = (
        f"{arguments.epochs} halting epoch(s) on at most {arguments.images:,} images; at most "
        f"{arguments.test_images:,} test images"
    )
    columns = [
        words(""), number("t = 1", "first_accuracy", ".2%"), number("t = T", "accuracy", ".2%"),
        number("tokens", "tokens", ".3f"), number("hard ÷ easy", "ratio"),
        number("rank corr.", "rank_correlation"), number("std", "deviation", ".3f"),
        words("tokens per block", "blocks"),
    ]  # fmt: skip
    return Table(title, columns)


if __name__ == "__main__":
    sys.exit(run_command(main))
