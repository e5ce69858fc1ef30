"""Commands around exported bundles; exporting itself is `python -m export.to_trt`.

python -m export compare BUNDLE --images FOLDER
python -m export trtexec BUNDLE
"""

from __future__ import annotations

import argparse
import sys

from export.entry import explained_imports, missing_package, print_whatever_the_encoding

with explained_imports(__name__):
    from export.engines import trtexec
    from export.errors import ExportError
    from runtime.cli.parser import Parser
    from runtime.cli.status import status_of
    from runtime.errors import SpikehaltError


def parser() -> argparse.ArgumentParser:
    """Arguments of all commands."""
    p = Parser(prog="python -m export", description=__doc__.splitlines()[0])
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_compare(commands.add_parser("compare", help="do all ways of running a bundle agree?"))
    p_trtexec = commands.add_parser("trtexec", help="commands that build and profile its graphs")
    trtexec.add_arguments(p_trtexec)
    return p


def _add_compare(p: argparse.ArgumentParser) -> None:
    with explained_imports(__name__):
        from export.comparison import command

    p.description = command.__doc__
    p.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_arguments(p)


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status, 2 on an error, 1 where a comparison disagrees."""
    print_whatever_the_encoding()
    arguments = parser().parse_args(argv)
    return status_of(lambda: _run(arguments), (ExportError, SpikehaltError))


def _run(arguments: argparse.Namespace) -> int:
    try:
        if arguments.command == "trtexec":
            return trtexec.run(arguments)
        return _compare(arguments)
    except ImportError as error:
        raise ExportError(missing_package(error)) from error


def _compare(arguments: argparse.Namespace) -> int:
    from export.comparison import command
    from train.errors import TrainError

    try:
        return command.run(arguments)
    except TrainError as error:
        raise ExportError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
