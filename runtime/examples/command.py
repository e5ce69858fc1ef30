"""What the examples share: paths from the command line, and errors told in one sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from spikehalt import commands


def paths(doc: str | None, arguments: Sequence[str], **names: str) -> list[str]:
    """Values of required arguments.

    Args:
        doc: what `--help` says.
        arguments: without the program's name.
        **names: help of every argument, in order.
    """
    parser = commands.Parser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in names.items():
        parser.add_argument(name, metavar=name.upper(), help=text)
    return list(vars(parser.parse_args(arguments)).values())


def run(main: Callable[[Sequence[str]], None]) -> int:
    """Run an example with the command line's arguments.

    Returns:
        0: done; 2: an error, told in one line on stderr.
    """

    def command() -> int:
        main(sys.argv[1:])
        return commands.DONE

    return commands.run(command)
