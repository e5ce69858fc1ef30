"""The command line: `python -m train COMMAND …`, one module per command.

A command module has `add_arguments(parser)` and `run(arguments) -> exit status`. What is slow to
import, such as PyTorch, is imported by `run` and by what it calls: help, lists and wrong arguments
answer at once.
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
from spikehalt.packages.catalogue import of_package

# `spikehalt train` is `python -m train run`.
COMMANDS = {"run" if name == "train" else name: each for name, each in of_package("train").items()}


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
    for name, command in COMMANDS.items():
        one = choice.add_parser(name, help=command.purpose, description=command.purpose)
        import_module(command.module).add_arguments(one)
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
        return int(import_module(COMMANDS[name].module).run(arguments))
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("train", "spikehalt"):
            raise
        raise MissingExtraError(missing(error, "train", "training")) from error
