"""`python -m train figure`: the papers' figures from trained models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from spikehalt.console import say
from spikehalt.errors import ConfigError
from spikehalt.exits import NEVER, calibrated_names
from train.checkpoint import load_checkpoint
from train.cli.console import take_positional
from train.cli.energy import EnergyOptions, energy_report
from train.cli.evaluating import checkpoint_data
from train.cli.outputs import check_writable
from train.cli.parsing import parse
from train.config import check_epsilon, require
from train.data import Split
from train.figures import draw_curves, draw_energy, draw_heatmaps, draw_tokens, draw_tradeoff
from train.figures.canvas import check_suffix, write
from train.figures.curves import PANELS
from train.loop.log import read_log
from train.measure.exits import ExitPoint, candidate_thresholds, exit_point, record
from train.measure.lifetimes import fates, patches_alive
from train.parallel.devices import best_device, exact_float32

_USAGE = "figure heatmap|tokens|tradeoff|energy|curves FILE… --out figure.png"


@dataclass(frozen=True)
class FigureOptions:
    """What is drawn, from what, and where it goes.

    Attributes:
        files: a checkpoint; for `energy` several, for `curves` runs' folders or log.csv files.
        out: .png, .svg or .pdf.
        count: so many images of the test split are drawn (heatmap), or measured on (the others);
            0 = the figure's own number.
        epsilon: halting margins for `tradeoff`.
        data_path: the folder or zip, where it is not the one that the checkpoint was trained on.
    """

    files: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE")]]
    out: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    count: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    epsilon: tuple[float, ...] = (0.0, 0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
    data_path: Annotated[str, tyro.conf.arg(metavar="PATH")] = ""

    def __post_init__(self) -> None:
        require(
            self.count >= 0,
            f"count is {self.count}, must be >= 1, or 0 for the figure's own number",
        )
        for epsilon in self.epsilon:
            check_epsilon(epsilon)


def figure_command(arguments: list[str]) -> int:
    """Draw one figure and write it."""
    kind, rest = take_positional("the kind of figure", _USAGE, arguments)
    if kind not in FIGURES:
        raise ConfigError(f"no figure {kind!r}; there are {', '.join(FIGURES)}")
    options = parse(FigureOptions, rest, f"python -m train figure {kind}")
    if not options.files:
        raise ConfigError(f"nothing to draw from; usage: python -m train {_USAGE}")
    check_suffix(options.out)
    check_writable(options.out, "--out", makes_folders=True)
    write(FIGURES[kind](options), options.out)
    say(f"{kind} → {options.out}")
    return 0


def _test_images(options: FigureOptions, default: int) -> tuple[Any, Split]:
    """The checkpoint's network and the first images of its test split."""
    if len(options.files) > 1:
        raise ConfigError(
            f"this figure shows one checkpoint, not {len(options.files)}: draw the others to files "
            "of their own, or compare them with `figure energy` or `figure curves`"
        )
    checkpoint = load_checkpoint(options.files[0])
    network = checkpoint.network().to(best_device())
    test = checkpoint_data(checkpoint, options.data_path).test.to(best_device())
    count = min(options.count or default, len(test))
    return network, next(iter(test.batches([torch.arange(count)])))


@torch.no_grad()
@exact_float32()
def _heatmap(options: FigureOptions) -> Any:
    network, batch = _test_images(options, 6)
    if network.config.input == "frames":
        raise ConfigError("heat maps are laid over images; this network takes event frames")
    alive = patches_alive(network(batch.images), network.config)
    return draw_heatmaps(batch.images, alive, network.config.grid)


@torch.no_grad()
@exact_float32()
def _tokens(options: FigureOptions) -> Any:
    network, batch = _test_images(options, 512)
    return draw_tokens(fates(network(batch.images), network.config))


def _tradeoff(options: FigureOptions) -> Any:
    network, batch = _test_images(options, 10_000)
    mode = network.config.halting.mode
    halts = mode != "none"
    trace = record(network, batch)
    exits: dict[str, list[ExitPoint]] = {
        name: [exit_point(trace, name, t) for t in candidate_thresholds(trace, name, 30)]
        for name in calibrated_names(mode)
    }
    margins = [
        exit_point(record(network, batch, epsilon=epsilon), NEVER.name)
        for epsilon in options.epsilon
    ]
    return draw_tradeoff(margins if halts else [], exits)


def _energy(options: FigureOptions) -> Any:
    asked = EnergyOptions((), data_path=options.data_path, count=options.count or 512)
    reports = {_name(path): energy_report(str(path), asked) for path in options.files}
    return draw_energy({name: report.modules for name, report in reports.items()})


def _curves(options: FigureOptions) -> Any:
    logs = {}
    for path in options.files:
        file = path / "log.csv" if path.is_dir() else path
        if not file.is_file():
            raise ConfigError(f"{file} does not exist; a run's folder holds log.csv")
        logs[file.parent.name] = read_log(file, [column for column, _ in PANELS])
    return draw_curves(logs)


def _name(path: Path) -> str:
    return f"{path.parent.name}\n{path.stem}"


FIGURES: dict[str, Callable[[FigureOptions], Any]] = {
    "heatmap": _heatmap,
    "tokens": _tokens,
    "tradeoff": _tradeoff,
    "energy": _energy,
    "curves": _curves,
}
