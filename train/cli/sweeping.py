"""`python -m train sweep`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from spikehalt.console import say
from spikehalt.errors import ConfigError
from train.cli.console import asks_for_help, console, take_flag, take_option, take_positional
from train.cli.outputs import give_figures
from train.cli.parsing import parse
from train.config import TrainConfig
from train.loop.sweep import SweepPoint, parse_axis, sweep
from train.recipes import load_recipe

_USAGE = "sweep RECIPE --over KEY=VALUE,VALUE [--over …] [--json] [--key value …]"


def sweep_command(arguments: list[str]) -> int:
    """Train a recipe over a grid of values."""
    recipe, rest = take_positional("the recipe", _USAGE, arguments)
    axes = []
    while True:
        text, rest = take_option("--over", rest)
        if text is None:
            break
        axes.append(parse_axis(text))
    if not axes and not asks_for_help(rest):
        raise ConfigError(f"nothing to sweep over; usage: python -m train {_USAGE}")
    as_json, rest = take_flag("--json", rest)
    prog = f"python -m train sweep {recipe}"
    config = parse(TrainConfig, rest, prog, default=load_recipe(recipe))
    points = list(sweep(config, axes))

    def show() -> None:
        console.print(_table(points))
        say(f"the same as CSV: {Path(config.out) / 'sweep.csv'}")

    plain = [{**asdict(point), "checkpoint": str(point.checkpoint)} for point in points]
    give_figures(plain, show, as_json=as_json)
    return 0


def _table(points: list[SweepPoint]) -> Table:
    table = Table(title="validation split")
    for name in (*points[0].values, "accuracy", "at t = 1", "at t = 2", "tokens"):
        table.add_column(name, justify="right")
    for point in points:
        figures = (
            f"{point.accuracy:.2%}",
            f"{point.accuracy_t1:.2%}",
            f"{point.accuracy_t2:.2%}",
            f"{point.average_tokens:.3f}",
        )
        table.add_row(*map(str, point.values.values()), *figures)
    return table
