"""`python -m train sweep`: train a recipe over a grid of values; go on where it stopped."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from spikehalt.console import say, write_table
from spikehalt.ray.cluster import add_ray
from train.cli.options.fields import read_changes
from train.cli.options.outputs import give_figures
from train.cli.run import add_recipe

if TYPE_CHECKING:
    from train.loop.sweep import SweepPoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = (
        "%(prog)s RECIPE --over KEY=VALUE,VALUE [--over …] [--ray [ADDRESS]] [--json] "
        "[--key value …]"
    )
    add_recipe(parser)
    parser.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="KEY=VALUE,VALUE",
        help="a key and the values that it takes; several make a grid",
    )
    add_ray(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Train every point."""
    config = read_changes(arguments.recipe, arguments)
    from train.loop.sweep import parse_axis, sweep

    axes = [parse_axis(text) for text in arguments.over]
    points = list(sweep(config, axes, arguments.ray))

    def show() -> None:
        _write(points)
        say(f"the same as CSV: {Path(config.out) / 'sweep.csv'}")

    plain = [{**asdict(point), "checkpoint": str(point.checkpoint)} for point in points]
    give_figures(plain, show, as_json=arguments.json)
    return 0


def _write(points: Sequence[SweepPoint]) -> None:
    columns = (*points[0].values, "accuracy", "at t = 1", "at t = 2", "tokens")
    rows = [
        (
            *map(str, point.values.values()),
            f"{point.accuracy:.2%}",
            f"{point.accuracy_t1:.2%}",
            f"{point.accuracy_t2:.2%}",
            f"{point.average_tokens:.3f}",
        )
        for point in points
    ]
    write_table("validation split", [f">{name}" for name in columns], rows)
