"""`python -m train energy`: where an average image's energy goes, per module."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from rich.table import Table

from spikehalt.console import say
from spikehalt.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.cli.console import console
from train.cli.evaluating import checkpoint_data
from train.cli.outputs import check_writable, give_figures
from train.cli.parsing import parse
from train.config import check_epsilon, require
from train.measure.energy import (
    MODULES,
    Constants,
    ModuleEnergy,
    energy_by_module,
    measure_firing_rates,
)
from train.measure.evaluate import evaluate
from train.parallel.devices import best_device


@dataclass(frozen=True)
class EnergyOptions:
    """What is measured.

    Attributes:
        checkpoints: of one or more networks; the first is what the others are compared with.
        split: images to measure firing rates and live tokens on.
        count: how many of them for the firing rates.
        epsilon: halting margin; none = the configured one.
        data_path: the folder or zip, where it is not the one that the checkpoints were trained on.
        constants: energy of an operation, and of a byte moved.
        out: also write the figures there, as JSON.
        json: print JSON instead of text.
    """

    checkpoints: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="CKPT")]]
    split: Literal["test", "validation"] = "test"
    count: Annotated[int, tyro.conf.arg(metavar="N")] = 512
    epsilon: float | None = None
    data_path: Annotated[str, tyro.conf.arg(metavar="PATH")] = ""
    constants: Constants = field(default_factory=Constants)
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    json: bool = False

    def __post_init__(self) -> None:
        require(
            self.count >= 1,
            f"count is {self.count}, must be >= 1: firing rates are measured on them",
        )
        if self.epsilon is not None:
            check_epsilon(self.epsilon)


@dataclass(frozen=True)
class EnergyReport:
    """One network's average image."""

    checkpoint: str
    accuracy: float
    average_tokens: float
    modules: list[ModuleEnergy]

    @property
    def total_mj(self) -> float:
        """Energy of the whole network."""
        return sum(module.energy_mj for module in self.modules)


def energy_command(arguments: list[str]) -> int:
    """Measure firing rates and live tokens, and report energy per module."""
    options = parse(EnergyOptions, arguments, "python -m train energy")
    if not options.checkpoints:
        raise ConfigError("no checkpoint to measure; usage: python -m train energy CKPT [CKPT …]")
    if options.out is not None:
        check_writable(options.out, "--out")
    reports = [energy_report(path, options) for path in options.checkpoints]

    def show() -> None:
        console.print(_table(options, reports))
        say(_constants(options.constants))

    give_figures(_plain(options, reports), show, as_json=options.json, out=options.out)
    return 0


def energy_report(path: str, options: EnergyOptions) -> EnergyReport:
    """Energy of an average image of the split, all timesteps executed."""
    checkpoint = load_checkpoint(path)
    device = best_device()
    network = checkpoint.network().to(device)
    images = getattr(checkpoint_data(checkpoint, options.data_path), options.split).to(device)
    found = evaluate(network, images, epsilon=options.epsilon)
    rates = measure_firing_rates(network, images, images=options.count)
    tokens = torch.tensor(found.tokens_per_block)
    modules = energy_by_module(network, rates, tokens, options.constants)
    return EnergyReport(path, found.accuracy[-1], found.average_tokens, modules)


def _plain(options: EnergyOptions, reports: list[EnergyReport]) -> dict[str, Any]:
    """Everything, for JSON."""
    figures = [{**asdict(report), "total_mj": report.total_mj} for report in reports]
    return {"constants": asdict(options.constants), "reports": figures}


def _table(options: EnergyOptions, reports: list[EnergyReport]) -> Table:
    table = Table(title=f"energy per image in µJ, {options.split} images, all timesteps")
    table.add_column("")
    for report in reports:
        path = Path(report.checkpoint)
        table.add_column(f"{path.parent.name}/{path.stem}", justify="right")
    for index, name in enumerate(MODULES):
        table.add_row(name, *(_microjoules(r.modules[index].energy_mj) for r in reports))
    table.add_section()
    table.add_row("total", *(_microjoules(report.total_mj) for report in reports))
    table.add_row("of the first", *(f"{r.total_mj / reports[0].total_mj:.1%}" for r in reports))
    table.add_row("accuracy", *(f"{report.accuracy:.2%}" for report in reports))
    table.add_row("average tokens", *(f"{report.average_tokens:.3f}" for report in reports))
    return table


def _microjoules(energy_mj: float) -> str:
    return f"{1000 * energy_mj:.4g}"


def _constants(constants: Constants) -> str:
    text = f"{constants.mac_pj} pJ per multiply-accumulate, {constants.ac_pj} pJ per accumulate"
    if constants.memory_pj_per_byte == 0:
        return (
            f"{text}; memory access is left out, as in the papers: --constants.memory-pj-per-byte"
        )
    return (
        f"{text}; {constants.memory_pj_per_byte} pJ per byte moved: {constants.weight_bytes} bytes "
        f"of weight per operation, {constants.state_bytes} of membrane, twice, per neuron"
    )
