"""`python -m train run`: train a recipe, with changes given as options."""

from __future__ import annotations

import argparse

from spikehalt.extras import require_extra
from train.cli.options.fields import Original, add_changes, named, read_changes
from train.config import TrainConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = "%(prog)s RECIPE [--start CKPT] [--key value …]"
    add_recipe(parser)
    parser.add_argument(
        "--start", metavar="CKPT", help="lends its weights to the phases after its own"
    )


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Declare RECIPE and an option for every key of it."""
    parser.add_argument(
        "recipe",
        action=Original,
        type=named(load),
        metavar="RECIPE",
        help="a name that `python -m train recipes` lists, or a .yaml file; --help behind it shows "
        "its values",
    )
    add_changes(parser, TrainConfig)


def load(name: str) -> TrainConfig:
    """The recipe as it is written."""
    require_extra("yaml", "train", "reading recipes")
    from train.recipes import load_recipe

    return load_recipe(name)


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    config = read_changes(arguments.recipe, arguments)
    from train.checkpoint import load_checkpoint
    from train.cli.options.outputs import say_reached
    from train.loop.run import run as train

    start = load_checkpoint(arguments.start) if arguments.start else None
    say_reached(train(config, start=start))
    return 0
