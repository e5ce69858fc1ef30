"""The command line: `python -m runtime COMMAND …`, one module per command.

A command module has `add_arguments(parser)` and `run(arguments) -> exit status`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from spikehalt import commands
from spikehalt.packages.catalogue import of_package

COMMANDS = of_package("runtime")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None takes them from the command line.

    Returns:
        0: done; 1: done, and some files could not be read; 2: an error, told in one line on
        stderr; 130: stopped by Ctrl-C.
    """
    return commands.run(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = build_parser().parse_args(arguments)
    return int(import_module(COMMANDS[options.command].module).run(options))


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = commands.Parser(prog="python -m runtime", description="Run spikehalt bundles.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = subparsers.add_parser(name, help=command.purpose, description=command.purpose)
        import_module(command.module).add_arguments(one)
    return parser
