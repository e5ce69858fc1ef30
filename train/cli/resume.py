"""`python -m train resume`: continue a stopped run, with changes given as options."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from train.cli.options.fields import add_changes, read_changes
from train.config import TrainConfig

if TYPE_CHECKING:
    from train.checkpoint import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = "%(prog)s CKPT [--data.path PATH] [--key value …]"
    parser.add_argument("checkpoint", metavar="CKPT", help="the run's last.pt")
    add_changes(parser, TrainConfig, shown="the run's")


def run(arguments: argparse.Namespace) -> int:
    """Continue training; changed settings hold from here on, or are refused."""
    from train.cli.options.outputs import say_reached
    from train.loop.folder import check_unused
    from train.loop.run import resume
    from train.loop.starting import check_asked

    def change(config: TrainConfig, start: Checkpoint) -> TrainConfig:
        changed = read_changes(config, arguments)
        check_asked(vars(arguments), start)
        check_unused(changed.out, arguments.checkpoint)
        return changed

    say_reached(resume(arguments.checkpoint, change))
    return 0
