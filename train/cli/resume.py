"""`python -m train resume`: continue a stopped run."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", metavar="CKPT", help="the run's last.pt")


def run(arguments: argparse.Namespace) -> int:
    """Train on."""
    from train.cli.options.outputs import say_reached
    from train.loop.run import resume

    say_reached(resume(arguments.checkpoint))
    return 0
