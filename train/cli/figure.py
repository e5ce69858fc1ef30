"""`python -m train figure`: the papers' figures, from checkpoints or runs' folders."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spikehalt.console import say
from train.cli.options.fields import add_fields, given, read_fields
from train.cli.options.outputs import check_writable
from train.config import check_epsilon, require

FigureKind = Literal["heatmap", "tokens", "tradeoff", "energy", "curves", "redundancy", "rates"]


@dataclass(frozen=True)
class FigureOptions:
    """What is drawn, from what, and where it goes.

    Attributes:
        kind: heatmap, tokens, tradeoff, energy, curves, redundancy or rates.
        files: a checkpoint; `energy` and `redundancy` take several, `curves` takes runs' folders or
            log.csv files.
        out: .png, .svg or .pdf.
        count: images of the test split, spread over all classes, that are drawn (heatmap) or
            measured (others); 0 = the figure's default.
        epsilon: halting margins for `tradeoff`.
        data_path: the folder or zip, where it is not the one of the training.
    """

    kind: FigureKind = given(positional=True, metavar="KIND")
    files: tuple[Path, ...] = given(positional=True, nargs="+", metavar="FILE")
    out: Path = given(metavar="FILE")
    count: int = given(0, metavar="N")
    epsilon: tuple[float, ...] = (0.0, 0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
    data_path: str = given("", metavar="PATH")

    def __post_init__(self) -> None:
        require(
            self.count >= 0,
            f"count is {self.count}, must be >= 1, or 0 for the figure's default",
        )
        for epsilon in self.epsilon:
            check_epsilon(epsilon)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_fields(parser, FigureOptions)


def run(arguments: argparse.Namespace) -> int:
    """Draw one figure and write it."""
    options = read_fields(FigureOptions, arguments)
    from train.figures.canvas import check_suffix, write
    from train.figures.trained import FIGURES, Source

    check_suffix(options.out)
    check_writable(options.out, "--out", makes_folders=True)
    source = Source(options.files, options.count, options.epsilon, options.data_path)
    write(FIGURES[options.kind](source), options.out)
    say(f"{options.kind} → {options.out}")
    return 0
