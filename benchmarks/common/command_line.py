"""Arguments that several benchmarks take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

from benchmarks.common import native
from spikehalt.commands import Parser


def parser(module: str, text: str | None) -> Parser:
    """A parser whose help is the module's docstring as it stands there."""
    return Parser(
        prog=f"python -m {module}",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_graph(to: argparse.ArgumentParser) -> None:
    """`--int8` and `--native-ops`: which of our graphs is timed, and how it runs."""
    to.add_argument("--int8", action="store_true", help="weights in int8 (default: float32)")
    native.add_option(to)


def add_plot(to: argparse.ArgumentParser, what: str) -> None:
    """`--plot FILE`, an SVG picture of `what`."""
    to.add_argument("--plot", type=Path, metavar="FILE", help=f"{what} as an SVG picture")


def precision(arguments: argparse.Namespace) -> Literal["int8", "fp32"]:
    """What `--int8` chose."""
    return "int8" if arguments.int8 else "fp32"


def conditions(arguments: argparse.Namespace) -> str:
    """What `add_graph`'s options chose, for a table's title."""
    from benchmarks.common import networks  # imports PyTorch

    return f"{networks.MODEL}, {precision(arguments)}, {native.in_words(arguments.native_ops)}"
