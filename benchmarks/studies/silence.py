"""What training for silence brings: accuracy, spikes, time and energy of networks side by side.

    python -m benchmarks.studies.silence runs/silence-{0,1,3,10}/halting.pt --data cifar10.zip

Accuracy, tokens, accumulates and energy are those of the test images with all timesteps. Density is
the share of the accumulates of live tokens that spikes cause, by the accumulates that a spike costs
(`loss.silence` penalises it). Times are the processor's, of one thread, one image at a time, all
networks in turn, through exported bundles.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from benchmarks.common import command_line, native
from benchmarks.common.table import Row, Table, number, words
from benchmarks.studies.accuracy_time import Call, images_of, median_ms
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from spikehalt.errors import ConfigError
from spikehalt.exits import NEVER
from train.checkpoint import load_checkpoint
from train.measure.constants import Constants
from train.measure.energy_report import EnergyReport, energy_report

BUNDLES = {"fp32": ExportOptions(), "int8": ExportOptions(precision="int8")}
TIMED = 20  # images of a pass


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    arguments = parser().parse_args(argv)
    named = names(arguments.checkpoints)
    torch.set_num_threads(1)
    reports = {
        name: energy_report(path, Constants(), count=arguments.images, data_path=arguments.data)
        for name, path in named.items()
    }
    ms = times(named, arguments)
    table(arguments).print([row(name, reports[name], ms) for name in named])
    return 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.studies.silence", __doc__)
    p.add_argument("checkpoints", nargs="+", metavar="CKPT", help="networks of one data set")
    p.add_argument("--data", default="", metavar="PATH", help="their images, where they moved")
    p.add_argument("--images", type=whole(1), default=10_000, help="test images, at most")
    p.add_argument("--rounds", type=whole(1), default=9, help="of the times")
    native.add_option(p)
    return p


def names(paths: Sequence[str]) -> dict[str, str]:
    """Paths by the names of their rows, such as silence-1/halting.

    Raises:
        ConfigError: two have one name.
    """
    named = {f"{Path(path).parent.name}/{Path(path).stem}": path for path in paths}
    if len(named) < len(paths):
        raise ConfigError("two checkpoints have one folder's name and one file's: rename a folder")
    return named


def times(named: Mapping[str, str], arguments: argparse.Namespace) -> dict[str, float]:
    """Milliseconds of an image by `call_name`."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        calls: dict[str, Call] = {}
        images: NDArray[Any] | None = None
        for index, (name, path) in enumerate(named.items()):
            for precision, options in BUNDLES.items():
                bundle = Path(folder) / f"{index}-{precision}.bundle"
                export_bundle(path, bundle, options)
                engine = stack.enter_context(
                    Engine(bundle, threads=1, native_ops=arguments.native_ops)
                )
                calls |= calls_of(name, precision, engine)
                if images is None:
                    images = images_of(engine, arguments.data, TIMED)[0]
        assert images is not None  # there is a checkpoint
        return median_ms(calls, images, arguments.rounds)


def calls_of(name: str, precision: str, engine: Engine) -> dict[str, Call]:
    """The network with all timesteps and with the first alone."""
    return {
        call_name(name, precision, steps): partial(engine, policy=NEVER.name, max_timesteps=steps)
        for steps in {1, engine.manifest.timesteps}
    }


def call_name(name: str, precision: str, steps: int) -> str:
    """What is timed."""
    return f"{name}, {precision}, t = {steps}"


def row(name: str, report: EnergyReport, ms: Mapping[str, float]) -> Row:
    """A network's figures."""
    steps = load_checkpoint(report.checkpoint).model.timesteps
    figures = {
        "accuracy": report.accuracy,
        "tokens": report.average_tokens,
        "density": report.density,
        "acs": sum(module.acs for module in report.modules) / 1e6,
        "energy": 1e3 * report.total_mj,
        "fp32": ms[call_name(name, "fp32", steps)],
        "int8": ms[call_name(name, "int8", steps)],
        "first": ms[call_name(name, "int8", 1)],
    }
    return Row(name, figures)


def table(arguments: argparse.Namespace) -> Table:
    """The comparison."""
    title = (
        f"at most {arguments.images:,} test images, all timesteps; ms of one image, one thread, "
        + native.in_words(arguments.native_ops)
    )
    columns = [
        words(""), number("accuracy", "accuracy", ".2%"), number("tokens", "tokens", ".3f"),
        number("density", "density", ".3f"), number("M accumulates", "acs", ".2f"),
        number("µJ", "energy", ".1f"), number("ms, fp32", "fp32"), number("ms, int8", "int8"),
        number("ms, int8, t = 1", "first"),
    ]  # fmt: skip
    return Table(title, columns)


if __name__ == "__main__":
    sys.exit(run_command(main))
