"""`python -m train average`: one network from several that are built alike."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from os.path import realpath
from pathlib import Path

from spikehalt.strict import build
from train.cli.options.fields import add_fields, given, read_fields
from train.cli.options.outputs import check_writable, say_validated
from train.config import TrainConfig, require


@dataclass(frozen=True)
class AverageOptions:
    """What is averaged.

    Attributes:
        checkpoints: of networks that are built alike and began from the same weights, such as runs
            with the same --start, or a run and its start.
        data_path: the folder or zip, where it is not the one of the training.
        out: the checkpoint to write.
    """

    checkpoints: tuple[str, ...] = given(positional=True, nargs="+", metavar="CKPT")
    data_path: str = given("", metavar="PATH")
    out: Path = given(Path("average.pt"), metavar="FILE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_fields(parser, AverageOptions)


def run(arguments: argparse.Namespace) -> int:
    """Average, measure on the validation images, write the checkpoint."""
    options = read_fields(AverageOptions, arguments)
    check_writable(options.out, "--out", makes_folders=True)
    require(
        realpath(options.out) not in map(realpath, options.checkpoints),
        f"--out {options.out} is one of those that are averaged; name another file",
    )
    from train.averaging import averaged
    from train.checkpoint import load_checkpoint, save_checkpoint
    from train.loop.starting import tell_of_seen_images
    from train.measure.finished import finished_metrics
    from train.measure.splits import checkpoint_data

    parts = [load_checkpoint(path) for path in options.checkpoints]
    checkpoint = averaged(parts)
    validation = checkpoint_data(checkpoint, options.data_path).validation
    config = build(TrainConfig, checkpoint.run)
    for path, part in zip(options.checkpoints, parts, strict=True):
        tell_of_seen_images(config, part, f"{path}'s")
    found, metrics = finished_metrics(checkpoint.network(), validation)
    metrics["average_of"] = list(options.checkpoints)
    save_checkpoint(options.out, replace(checkpoint, metrics=metrics))
    say_validated(f"average of {len(parts)}", found, options.out)
    return 0
