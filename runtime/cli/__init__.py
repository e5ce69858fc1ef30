"""The command line: `python -m runtime COMMAND …`, one module per command.

A command module has `add_arguments(parser)` and `run(arguments) -> exit status`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from runtime.cli.parser import Parser
from runtime.cli.status import status_of
from runtime.errors import SpikehaltError

COMMANDS = {
    "run": "classify images, folders or zips",
    "info": "show what a bundle is",
    "bench": "measure speed and energy, early exit against all timesteps",
    "calibrate": "find exit thresholds on labelled files and write them into the bundle",
    "report": "write one HTML page about how a bundle does on some files",
    "sign": "sign a bundle, for devices that check a key",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None takes them from the command line.

    Returns:
        0: done; 1: done, and some files could not be read; 2: an error, told in one line on
        stderr; 130: stopped by Ctrl-C.
    """
    _write_what_the_terminal_can()
    options = build_parser().parse_args(arguments)
    command = import_module(f"runtime.cli.{options.command}")
    return status_of(lambda: int(command.run(options)), (SpikehaltError,))


def _write_what_the_terminal_can() -> None:
    """Print ε or a class's name as ? where stdout's encoding lacks it, instead of failing."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = Parser(prog="python -m runtime", description="Run spikehalt bundles.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        import_module(f"runtime.cli.{name}").add_arguments(command)
    return parser
