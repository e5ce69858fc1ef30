"""The command line: `python -m runtime COMMAND …`, one module per command.

A command module has `add_arguments(parser)` and `run(arguments) -> exit status`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

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
        0: done; 1: an error, told in one sentence on stderr; 130: interrupted.
    """
    _write_what_the_terminal_can()
    options = build_parser().parse_args(arguments)
    try:
        return int(import_module(f"runtime.cli.{options.command}").run(options))
    except SpikehaltError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


def _write_what_the_terminal_can() -> None:
    """Print ε or a class's name as ? where stdout's encoding lacks it, instead of failing."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m runtime", description="Run spikehalt bundles.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        import_module(f"runtime.cli.{name}").add_arguments(command)
    return parser
