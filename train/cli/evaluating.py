"""`python -m train evaluate`: accuracy, tokens, exits and energy of checkpoints on real images."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.table import Table

from spikehalt.errors import ConfigError
from spikehalt.exits import CONFIDENCE, ENTROPY, HALTING, NEVER, POLICIES, PolicyName
from spikehalt.strict import build
from train.checkpoint import Checkpoint, load_checkpoint
from train.cli.console import console
from train.cli.outputs import check_writable, give_figures
from train.cli.parsing import parse
from train.cli.shares import Share
from train.config import TrainConfig, check_epsilon, require
from train.data import Dataset, load_data
from train.measure.exits import (
    ExitPoint,
    check_max_drop,
    exit_point,
    fewest_timesteps,
    record,
)
from train.parallel.devices import best_device


@dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated.

    Attributes:
        checkpoint: a finished checkpoint of ours.
        split: where the reported figures come from; thresholds always come from `validation`.
        epsilon: halting margins to try (STAS^epsilon); none = the configured one.
        policy: exit policies to try.
        max_drop: a policy's threshold is the one with the fewest timesteps that loses at most this
            share of accuracy on the validation images, as 0.003 or 0.3%; where every exit loses
            more, none is taken. `python -m runtime calibrate` allows 0.5% unless told otherwise.
        data_path: the folder or zip, where it is not the one that the checkpoint was trained on.
        batch: images at once.
        out: also write the figures there, as JSON; a threshold at which no exit is taken is null.
        json: print JSON instead of text.
    """

    checkpoint: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="CKPT")]]
    split: Literal["test", "validation"] = "test"
    epsilon: tuple[float, ...] = ()
    policy: tuple[PolicyName, ...] = (NEVER.name, ENTROPY.name, CONFIDENCE.name, HALTING.name)
    max_drop: Share = 0.003
    data_path: Annotated[str, tyro.conf.arg(metavar="PATH")] = ""
    batch: Annotated[int, tyro.conf.arg(metavar="N")] = 256
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    json: bool = False

    def __post_init__(self) -> None:
        require(self.batch >= 1, f"batch is {self.batch}, must be >= 1")
        check_max_drop(self.max_drop)
        for epsilon in self.epsilon:
            check_epsilon(epsilon)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    epsilon: float
    point: ExitPoint


def evaluate_command(arguments: list[str]) -> int:
    """Evaluate a checkpoint under exit policies and halting margins."""
    options = parse(EvaluateOptions, arguments, "python -m train evaluate")
    if options.out is not None:
        check_writable(options.out, "--out")
    checkpoint = load_checkpoint(options.checkpoint)
    rows = evaluate_policies(options, checkpoint, checkpoint_data(checkpoint, options.data_path))

    def show() -> None:
        console.print(_table(options, rows))

    give_figures([_plain(row) for row in rows], show, as_json=options.json, out=options.out)
    return 0


def checkpoint_data(checkpoint: Checkpoint, path: str = "") -> Dataset:
    """The images that a checkpoint was trained on, split as they were then.

    Raises:
        ConfigError: imported weights know of no images.
    """
    if not checkpoint.run:
        raise ConfigError(
            "imported weights were trained on unknown images; train or fine-tune first"
        )
    run = dict(checkpoint.run)
    if path:
        run["data"] = {**run["data"], "path": path}
    config = build(TrainConfig, run)
    return load_data(config.data, checkpoint.model, config.seed)


def evaluate_policies(options: EvaluateOptions, checkpoint: Checkpoint, data: Dataset) -> list[Row]:
    """Every policy at every margin; its threshold is chosen on the validation images."""
    device = best_device()
    network, data = checkpoint.network().to(device), data.to(device)
    rows = []
    for epsilon in options.epsilon or (checkpoint.model.halting.epsilon,):
        seen, reported = (
            record(network, part, batch_size=options.batch, epsilon=epsilon)
            for part in (data.validation, getattr(data, options.split))
        )
        for policy in options.policy:
            if not POLICIES[policy].fits(checkpoint.model.halting.mode):
                continue  # no token ever halts, so the score says nothing
            chosen = fewest_timesteps(seen, policy, options.max_drop)
            rows.append(Row(epsilon, exit_point(reported, chosen.policy, chosen.threshold)))
    return rows


def _plain(row: Row) -> dict[str, Any]:
    """The row for JSON, which knows no infinity: a threshold that nothing reaches is null."""
    plain = {"epsilon": row.epsilon, **asdict(row.point)}
    return plain if math.isfinite(row.point.threshold) else {**plain, "threshold": None}


def _threshold(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "no exit"


def _table(options: EvaluateOptions, rows: list[Row]) -> Table:
    title = f"{options.checkpoint}, {options.split} images; exit thresholds from validation images"
    table = Table(title=title)
    for name in ("epsilon", "policy", "threshold", "accuracy", "timesteps", "tokens"):
        table.add_column(name, justify="right")
    for row in rows:
        point = row.point
        table.add_row(
            f"{row.epsilon:g}",
            point.policy,
            _threshold(point.threshold),
            f"{point.accuracy:.2%}",
            f"{point.average_timesteps:.2f}",
            f"{point.average_tokens:.3f}",
        )
    return table
