"""Commands around exported bundles; exporting itself is `python -m export.to_trt`.

python -m export compare BUNDLE --images FOLDER
python -m export trtexec BUNDLE
"""

from __future__ import annotations

import argparse
import sys

from export.entry import explained_imports, needing_packages

with explained_imports(__name__):
    from export.engines import trtexec
    from spikehalt import commands
    from spikehalt.packages.catalogue import COMMANDS


def parser() -> argparse.ArgumentParser:
    """Arguments of all commands."""
    p = commands.Parser(prog="python -m export", description=__doc__.splitlines()[0])
    subparsers = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_compare(subparsers.add_parser("compare", help=COMMANDS["compare"].purpose))
    trtexec.add_arguments(subparsers.add_parser("trtexec", help=COMMANDS["trtexec"].purpose))
    return p


def _add_compare(p: argparse.ArgumentParser) -> None:
    with explained_imports(__name__):
        from export.comparison import command

    p.description = command.__doc__
    p.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_arguments(p)


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status, 2 on an error, 1 where a comparison disagrees."""
    return commands.run(lambda: _run(argv))


def _run(argv: list[str] | None) -> int:
    arguments = parser().parse_args(argv)
    with needing_packages():
        if arguments.command == "trtexec":
            return trtexec.run(arguments)
        from export.comparison import command

        return command.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
