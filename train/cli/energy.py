"""`python -m train energy`: where an average image's energy goes, per module."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spikehalt.console import energy_text, say, write_table
from train.cli.options.fields import add_fields, given, read_fields
from train.cli.options.outputs import check_writable, give_figures
from train.config import check_epsilon, require
from train.measure.constants import Constants, MemoryConstants

if TYPE_CHECKING:
    from train.measure.energy_report import EnergyReport


@dataclass(frozen=True)
class EnergyOptions:
    """What is measured.

    Attributes:
        checkpoints: one or more networks; the others are compared with the first.
        split: images to measure accuracy, live tokens and firing rates on.
        count: at most so many of them, spread over all classes; none = all.
        epsilon: halting margin; none = the configured one.
        data_path: the folder or zip, where it is not the one of the training.
        constants: energy of an operation, and of a byte moved, in the papers' formula.
        memory: energy of a byte moved, in the comparison with a dense network.
        out: also write the figures there, as JSON.
        json: print JSON instead of text.
    """

    checkpoints: tuple[str, ...] = given(positional=True, nargs="+", metavar="CKPT")
    split: Literal["test", "validation"] = "test"
    count: int | None = given(None, metavar="N")
    epsilon: float | None = None
    data_path: str = given("", metavar="PATH")
    constants: Constants = field(default_factory=Constants)
    memory: MemoryConstants = field(default_factory=MemoryConstants)
    out: Path | None = given(None, metavar="FILE")
    json: bool = False

    def __post_init__(self) -> None:
        require(
            self.count is None or self.count >= 1,
            f"count is {self.count}, must be >= 1: firing rates are measured on them",
        )
        if self.epsilon is not None:
            check_epsilon(self.epsilon)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_fields(parser, EnergyOptions)


def run(arguments: argparse.Namespace) -> int:
    """Measure firing rates and live tokens, and report energy per module."""
    options = read_fields(EnergyOptions, arguments)
    if options.out is not None:
        check_writable(options.out, "--out")
    reports = _measure(options)
    give_figures(
        _plain(options, reports),
        lambda: _write(options, reports),
        as_json=options.json,
        out=options.out,
    )
    return 0


def _measure(options: EnergyOptions) -> list[EnergyReport]:
    from train.measure.energy_report import energy_report

    return [
        energy_report(
            path,
            options.constants,
            split=options.split,
            count=options.count,
            epsilon=options.epsilon,
            data_path=options.data_path,
            memory=options.memory,
        )
        for path in options.checkpoints
    ]


def _plain(options: EnergyOptions, reports: Sequence[EnergyReport]) -> dict[str, Any]:
    """Everything, for JSON."""
    figures = [{**asdict(report), "total_mj": report.total_mj} for report in reports]
    constants = {"constants": asdict(options.constants), "memory": asdict(options.memory)}
    return {**constants, "reports": figures}


def _write(options: EnergyOptions, reports: Sequence[EnergyReport]) -> None:
    names = [f">{_name(each)}" for each in reports]
    first = reports[0]
    rows = [
        (module.module, *(energy_text(each.modules[index].energy_mj) for each in reports))
        for index, module in enumerate(first.modules)
    ]
    rows += [
        ("total", *(energy_text(each.total_mj) for each in reports)),
        ("of the first", *(f"{each.total_mj / first.total_mj:.1%}" for each in reports)),
        ("accuracy", *(f"{each.accuracy:.2%}" for each in reports)),
        ("average tokens", *(f"{each.average_tokens:.3f}" for each in reports)),
        ("density of spikes", *(f"{each.density:.3f}" for each in reports)),
    ]
    title = f"energy per image, {options.split} images, all timesteps"
    write_table(title, ("", *names), rows)
    say(_constants(options.constants))
    _write_with_memory(options.memory, reports)
    for report in reports:
        if report.overhead:
            _write_overhead(report)


def _write_with_memory(memory: MemoryConstants, reports: Sequence[EnergyReport]) -> None:
    """The comparison with the dense network of the first one's shape."""
    rows = []
    for number, dense in reports[0].dense_with_memory.items():
        found = {_name(report): report.with_memory[number] for report in reports}
        for name, each in {**found, "dense": dense}.items():
            values = [*asdict(each).values(), each.total_mj]
            against = f"{each.total_mj / dense.total_mj:.2f} ×"
            rows.append((f"{name} {number}", *map(energy_text, values), against))
    parts = ("operations", "weights, SRAM", "weights, DRAM", "activations", "membranes")
    write_table(
        "with memory access, per image; dense: the same shape with ReLU, no timesteps",
        ("", *(f">{part}" for part in parts), ">total", ">of dense"),
        rows,
        f"{memory.sram_pj_per_byte:g} pJ per byte of SRAM, {memory.dram_pj_per_byte:g} of DRAM; "
        "weights leave DRAM once per image; above 1 × the spiking network needs more",
    )


def _write_overhead(report: EnergyReport) -> None:
    counts = ("score MACs", "readout MACs", "similarity MACs", "packed bytes")
    write_table(
        f"overhead of halting and merging: {_name(report)}",
        ("block", *(f">{name}" for name in counts), ">energy"),
        [
            (
                str(row.block),
                f"{row.score_macs:,.0f}",
                f"{row.readout_macs:,.0f}",
                f"{row.similarity_macs:,.0f}",
                f"{row.packed_bytes:,.0f}",
                energy_text(row.energy_uj / 1000),
            )
            for row in report.overhead
        ],
    )


def _name(report: EnergyReport) -> str:
    path = Path(report.checkpoint)
    return f"{path.parent.name}/{path.stem}"


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
