"""Cost against spikes: milliseconds of the stem and of the blocks against what spikes cause.

    python -m benchmarks.cpu.spikes                    float32
    python -m benchmarks.cpu.spikes --int8 --plot spikes.svg

The `spikformer-4-384` shape with I-SPS, all tokens, its first timestep, batch 1, one thread. A
random network's neurons fire as densely as the zoo's halting model does on CIFAR-10, times a factor
(benchmarks/common/densities.py). What they cause is counted in the network: for every value that is
not zero the weights it meets, in millions. Times are those of ONNX Runtime's profiler, medians of
the runs, summed over the nodes of the stem and of the blocks; the first convolution, which sees
pixels, is among them, and so are neurons, attention and everything that does not follow spikes.

A second line leaves out the point where nothing fires: the first spikes bring weights from memory,
which all later ones share. SPIKEHALT_BREAK_EVEN=1 lists what would be multiplied.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.common import command_line, native, networks
from benchmarks.common.densities import Densities, impose_densities
from benchmarks.cpu.curve import chart, fit
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from train.models import SpikingTransformer
from train.silence import listening

console = Console()
PARTS = ("stem", "blocks")
FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0)
STEM_CONVS = 4  # that take spikes
# `python -m benchmarks.cpu --data cifar10.zip` prints them.
TRAINED = Densities(
    np.array([0.307, 0.375, 0.365, 0.158, 0.279]),
    np.array(
        [
            [0.129, 0.082, 0.121, 0.108, 0.066, 0.089],
            [0.136, 0.064, 0.086, 0.078, 0.073, 0.058],
            [0.136, 0.064, 0.086, 0.078, 0.073, 0.058],
            [0.099, 0.052, 0.018, 0.016, 0.060, 0.036],
        ]
    ),
)


class Point(NamedTuple):
    """One factor's accumulates, millions, and milliseconds, by part."""

    factor: float
    accumulates: dict[str, float]
    ms: dict[str, float]


def scaled_network(factor: float) -> SpikingTransformer:
    """Random weights, and the trained densities times a factor."""
    network = networks.random_network(networks.config_of("isps", halting=False))
    wanted = Densities(factor * TRAINED.stem, factor * TRAINED.blocks)
    impose_densities(network, wanted, _planes(network, networks.DENSITY_IMAGES))
    return network


def _planes(network: SpikingTransformer, count: int) -> torch.Tensor:
    images = networks.random_images(network.config, count)
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def accumulates(network: SpikingTransformer) -> dict[str, float]:
    """Millions that an image's values cause at the first timestep, by part."""
    with torch.no_grad(), listening(network, wanted=True) as heard:
        network(_planes(network, 1))
    each = [float((one.inputs[0] != 0).sum()) * one.fan_out / 1e6 for one in heard]
    return {"stem": sum(each[:STEM_CONVS]), "blocks": sum(each[STEM_CONVS:])}


def profiled(
    network: SpikingTransformer, *, int8: bool, native_ops: bool | None, runs: int
) -> dict[str, float]:
    """Milliseconds of an image's first timestep, by part."""
    options = ExportOptions(1, "dense", "int8" if int8 else "fp32")
    graph = unroll(make_plan(network), options)["first.onnx"].SerializeToString()
    feeds = {"image": networks.random_images(network.config, 1), "epsilon": np.array(0, np.float32)}
    with tempfile.TemporaryDirectory() as folder:
        session_options = onnxruntime.SessionOptions()
        session_options.intra_op_num_threads, session_options.log_severity_level = 1, 3
        session_options.enable_profiling = True
        session_options.profile_file_prefix = str(Path(folder) / "profile")
        ops = native.native_ops(native_ops)
        if ops.path is not None:
            session_options.register_custom_ops_library(str(ops.path))
        session = onnxruntime.InferenceSession(graph, session_options, ["CPUExecutionProvider"])
        for _ in range(runs):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    return {part: _median_ms(events, part, runs) for part in PARTS}


def _median_ms(events: Sequence[dict[str, object]], part: str, runs: int) -> float:
    """Nodes' medians, summed: a node that was interrupted once does not count."""
    prefix = "stem/" if part == "stem" else "block"
    times: dict[str, list[float]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if name.endswith("_kernel_time") and name.startswith(prefix):
            times.setdefault(name, []).append(float(str(event["dur"])))
    return sum(statistics.median(found[runs // 5 :]) for found in times.values()) / 1e3


def measured(*, int8: bool, native_ops: bool | None, runs: int) -> list[Point]:
    """All factors."""
    points = []
    for factor in FACTORS:
        network = scaled_network(factor)
        ms = profiled(network, int8=int8, native_ops=native_ops, runs=runs)
        points.append(Point(factor, accumulates(network), ms))
    return points


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_line.parser("benchmarks.cpu.spikes", __doc__)
    parser.add_argument("--runs", type=whole(1), default=100)
    command_line.add_graph(parser)
    command_line.add_plot(parser, "the blocks' line")
    arguments = parser.parse_args(argv)
    points = measured(int8=arguments.int8, native_ops=arguments.native_ops, runs=arguments.runs)
    console.print(table(points, command_line.conditions(arguments)))
    for part in PARTS:
        console.print(f"{part}: {line_of(points, part)}")
        firing = [point for point in points if point.factor > 0]
        console.print(f"{part}, where something fires: {line_of(firing, part)}")
    if arguments.plot:
        millions, ms = axes(points, "blocks")
        arguments.plot.write_text(chart(list(millions), list(ms), fit(millions, ms)))
    return 0


def line_of(points: Sequence[Point], part: str) -> str:
    """The straight line through a part's points, in words."""
    line = fit(*axes(points, part))
    return (
        f"{line.fixed_ms:.2f} ms + {1e3 * line.per_token_ms:.2f} µs a million accumulates, "
        f"R² {line.r_squared:.4f}"
    )


def axes(points: Sequence[Point], part: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accumulates and milliseconds of a part."""
    return (
        np.array([point.accumulates[part] for point in points]),
        np.array([point.ms[part] for point in points]),
    )


def table(points: Sequence[Point], title: str) -> Table:
    """A line per factor."""
    result = Table(title=title)
    for column in ("densities x", "stem: M accumulates", "ms", "blocks: M accumulates", "ms"):
        result.add_column(column, justify="right")
    for point in points:
        cells = [
            f"{values[part]:.2f}" for part in PARTS for values in (point.accumulates, point.ms)
        ]
        result.add_row(f"{point.factor:g}", *cells)
    return result


if __name__ == "__main__":
    sys.exit(run_command(main))
