"""The command line: `python -m train COMMAND …`, one module per command.

A command module has `add_arguments(parser)` and `run(arguments) -> exit status`. What is slow to
import, such as PyTorch, is imported by `run` and by what it calls: help, lists and mistakes answer
at once.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module

from spikehalt import commands
from spikehalt.errors import MissingExtraError
from spikehalt.extras import missing

# Module and purpose of each command.
COMMANDS = {
    "run": ("run", "train a recipe, with any key changed"),
    "resume": ("resume", "continue a stopped run"),
    "recipes": ("recipes", "list the recipes"),
    "evaluate": (
        "evaluate",
        "accuracy, timesteps and tokens on the test images, per exit policy and halting margin",
    ),
    "energy": (
        "energy",
        "estimated energy per image and module, from firing rates measured on the test images",
    ),
    "figure": ("figure", "the papers' figures, from checkpoints or (curves) from runs' folders"),
    "sweep": ("sweep", "train a recipe over a grid of values; go on where it stopped"),
    "import": (
        "importing",
        "bring in a checkpoint of the Spikformer, Spikingformer or Spike-driven Transformer "
        "repositories, or of SpikingJelly's models",
    ),
    "adapt": ("adapt", "let tokens halt in a network that was trained without halting"),
    "events": ("events", "recordings of event cameras to frames that training reads"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: without the program's name; None takes them from the command line.

    Returns:
        0: done; 2: an error, told in one line on stderr; 130: stopped by Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return commands.run(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    arguments = build_parser().parse_args(words)
    return run_command(arguments.command, arguments)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = commands.Parser(
        prog="python -m train", description="Train spiking vision transformers."
    )
    choice = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        command = choice.add_parser(name, help=purpose, description=purpose)
        import_module(f"train.cli.{module}").add_arguments(command)
    return parser


def run_command(name: str, arguments: argparse.Namespace) -> int:
    """Run a command whose arguments are read; returns its exit status.

    Raises:
        MissingExtraError: what training needs is not installed.
    """
    try:
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True))
        logging.basicConfig(level=logging.WARNING, handlers=[handler])
        return int(import_module(f"train.cli.{COMMANDS[name][0]}").run(arguments))
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("train", "spikehalt"):
            raise
        raise MissingExtraError(missing(error, "train", "training")) from error
