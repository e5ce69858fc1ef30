"""`python -m train run`: train a recipe, with changes given as options."""

from __future__ import annotations

import argparse

from spikehalt.extras import require_extra
from train.cli.options.fields import Original, add_changes, named, read_changes
from train.config import TrainConfig, require
from train.loop.folder import check_unused, used


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = (
        "%(prog)s RECIPE [--start CKPT [--all-phases|--new-head]] [--overwrite|--resume] "
        "[--key value …]"
    )
    add_recipe(parser)
    parser.add_argument(
        "--start",
        metavar="CKPT",
        help="a checkpoint whose weights the phases after its own begin with; a last.pt is "
        "continued, with the settings given here",
    )
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument(
        "--all-phases",
        action="store_true",
        help="train all phases from the weights of --start, its own phase again too",
    )
    weights.add_argument(
        "--new-head",
        action="store_true",
        help="for other classes: keep all weights of --start except the classifier's",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the run that --out holds already"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run that --out holds where it was saved last, if it holds one: what "
        "starts a run then restarts it too (torchrun, SLURM)",
    )


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Declare RECIPE and an option for every key of it."""
    parser.add_argument(
        "recipe",
        action=Original,
        type=named(load),
        metavar="RECIPE",
        help="a name that `python -m train recipes` lists, or a .yaml file; --help after it shows "
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
    anew = arguments.all_phases or arguments.new_head
    require(
        bool(arguments.start) or not anew,
        "--all-phases and --new-head begin with the weights of a checkpoint: name it with --start",
    )
    require(
        not (arguments.resume and (arguments.overwrite or anew)),
        "--resume goes on with a run: it has nothing to --overwrite, and needs neither "
        "--all-phases nor --new-head",
    )
    if arguments.resume:
        return _resume(config, arguments.start)
    gone_on_with = None if anew else arguments.start
    if not arguments.overwrite:
        check_unused(config.out, gone_on_with)
    from train.checkpoint import load_checkpoint
    from train.cli.options.outputs import say_reached
    from train.loop.run import run as train
    from train.loop.starting import check_asked

    start = load_checkpoint(arguments.start) if arguments.start else None
    if start is not None and not anew:
        check_asked(vars(arguments), start)
    reached = train(
        config,
        start=start,
        all_phases=arguments.all_phases,
        new_head=arguments.new_head,
        replaced=used(config.out, gone_on_with),
    )
    say_reached(reached)
    return 0


def _resume(config: TrainConfig, start: str | None) -> int:
    """Train, or train on, or find it done; every process of a restarted run comes here."""
    from spikehalt.console import say
    from train.checkpoint import load_checkpoint
    from train.loop.once import train_once

    path = train_once(config, load_checkpoint(start) if start else None)
    say(f"trained: {path}")
    return 0
