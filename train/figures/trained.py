"""Each figure from files: checkpoints, or the logs of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from spikehalt.errors import ConfigError
from spikehalt.exits import NEVER, calibrated_names
from train.checkpoint import load_checkpoint
from train.data import Split
from train.figures.curves import PANELS, draw_curves
from train.figures.energy import draw_energy
from train.figures.heatmap import draw_heatmaps
from train.figures.rates import draw_rates
from train.figures.redundancy import draw_redundancy
from train.figures.tokens import draw_tokens
from train.figures.tradeoff import draw_tradeoff
from train.loop.reports.log import read_log
from train.measure.constants import Constants
from train.measure.energy_report import energy_report
from train.measure.exits import ExitPoint, candidate_thresholds, exit_point, record
from train.measure.firing_rates import rates_over_time
from train.measure.lifetimes import fates, patches_alive
from train.measure.redundancy import token_redundancy
from train.measure.splits import checkpoint_data, part_of
from train.models import SpikingTransformer
from train.parallel.devices import best_device, exact_float32


@dataclass(frozen=True)
class Source:
    """What a figure is drawn from.

    Attributes:
        files: a checkpoint; `energy` takes several, `curves` takes runs' folders or log.csv files.
        count: images of the test split; 0 = the figure's default.
        margins: halting margins for `tradeoff`.
        data_path: the images, where they are not those of the training; see `checkpoint_data`.
    """

    files: Sequence[Path]
    count: int
    margins: Sequence[float]
    data_path: str


def _test_images(source: Source, default: int) -> tuple[SpikingTransformer, Split]:
    """The checkpoint's network and a few images of its test split, spread over all classes."""
    if len(source.files) > 1:
        raise ConfigError(
            f"this figure shows one checkpoint, not {len(source.files)}: draw the others to files "
            "of their own, or compare them with `figure energy` or `figure curves`"
        )
    checkpoint = load_checkpoint(source.files[0])
    network = checkpoint.network().to(best_device())
    data = checkpoint_data(checkpoint, source.data_path)
    test = part_of(data, "test", source.count or default).to(best_device())
    return network, next(iter(test.batches([torch.arange(len(test))])))


@torch.no_grad()
@exact_float32()
def _heatmap(source: Source) -> Any:
    network, batch = _test_images(source, 6)
    if network.config.input == "frames":
        raise ConfigError("heat maps are laid over images; this network takes event frames")
    alive = patches_alive(network(batch.images), network.config)
    return draw_heatmaps(batch.images, alive, network.config.grid)


@torch.no_grad()
@exact_float32()
def _tokens(source: Source) -> Any:
    network, batch = _test_images(source, 512)
    return draw_tokens(fates(network(batch.images), network.config))


def _tradeoff(source: Source) -> Any:
    network, batch = _test_images(source, 10_000)
    mode = network.config.halting.mode
    trace = record(network, batch)
    exits: dict[str, list[ExitPoint]] = {
        name: [exit_point(trace, name, t) for t in candidate_thresholds(trace, name, 30)]
        for name in calibrated_names(mode)
    }
    margins = {
        epsilon: exit_point(record(network, batch, epsilon=epsilon), NEVER.name)
        for epsilon in (source.margins if mode != "none" else ())
    }
    return draw_tradeoff(margins, exits, len(batch))


def _energy(source: Source) -> Any:
    reports = {
        f"{path.parent.name}\n{path.stem}": energy_report(
            str(path),
            Constants(),
            count=source.count or 512,
            data_path=source.data_path,
        )
        for path in source.files
    }
    return draw_energy({name: report.modules for name, report in reports.items()})


def _curves(source: Source) -> Any:
    logs = {}
    for path in source.files:
        file = path / "log.csv" if path.is_dir() else path
        if not file.is_file():
            raise ConfigError(f"{file} does not exist; a run's folder holds log.csv")
        logs[file.parent.name] = read_log(file, [column for column, _ in PANELS])
    return draw_curves(logs)


def _redundancy(source: Source) -> Any:
    found = {}
    for path in source.files:
        network, batch = _test_images(replace(source, files=(path,)), 512)
        found[f"{path.parent.name}\n{path.stem}"] = token_redundancy(
            network, batch, images=len(batch)
        )
    return draw_redundancy(found)


def _rates(source: Source) -> Any:
    network, batch = _test_images(source, 512)
    return draw_rates(rates_over_time(network, batch, images=len(batch)))


FIGURES: dict[str, Callable[[Source], Any]] = {
    "heatmap": _heatmap,
    "tokens": _tokens,
    "tradeoff": _tradeoff,
    "energy": _energy,
    "curves": _curves,
    "redundancy": _redundancy,
    "rates": _rates,
}
