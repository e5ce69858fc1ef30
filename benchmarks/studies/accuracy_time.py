"""Accuracy against time on a CPU: the zoo's CIFAR-10 model with early exit, beside its peers.

    python -m benchmarks.studies.accuracy_time cifar10.zip --plot docs/pictures/accuracy-time.svg

One image at a time, one thread, process time, all candidates in turn. What an exit after t
timesteps costs is measured on test images, t by t; a threshold of the policy `confidence` then has
the accuracy of all test images and the time of their exits. SpikingJelly's network and the dense
ANN have the model's shape and random weights, so they have a time and no accuracy: each is a
vertical line.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.common import command_line, native, peers
from benchmarks.common.table import Row, Table, console, number, words
from benchmarks.common.trained import ZOO_HALTING
from benchmarks.cpu.worker import session
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from runtime.calibration.evidence import Observed, Point
from runtime.drawing import svg
from runtime.inputs.files import class_indices, find_samples, load_sample, spread
from runtime.results.trajectory import join
from spikehalt.exits import CONFIDENCE, NEVER
from train.checkpoint import load_checkpoint
from train.config import ModelConfig

OURS = {"halting": ExportOptions(), "int8": ExportOptions(precision="int8")}
PEERS = ("dense ANN", "SpikingJelly")
TIMED = 20  # images of a pass
BATCH = 50  # for accuracies
Call = Callable[[NDArray[Any]], object]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and draw; returns the exit status."""
    parser = command_line.parser("benchmarks.studies.accuracy_time", __doc__)
    parser.add_argument("data", help="CIFAR-10 as a folder or zip with a part `test`")
    parser.add_argument("--count", type=int, default=2000, help="images for accuracies")
    parser.add_argument("--rounds", type=int, default=9)
    command_line.add_plot(parser, "the chart")
    native.add_option(parser)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        engines = {
            name: stack.enter_context(opened(Path(folder) / name, options, arguments.native_ops))
            for name, options in OURS.items()
        }
        images, labels = images_of(engines["halting"], arguments.data, arguments.count)
        calls = {**steps_of(engines), **peer_calls(load_checkpoint(ZOO_HALTING).model)}
        ms = median_ms(calls, images[:TIMED], arguments.rounds)
        curves = {
            name: curve(engine, images, labels, exit_ms(name, engine, ms))
            for name, engine in engines.items()
        }
    console.print(f"ours: {native.in_words(arguments.native_ops)}", highlight=False)
    table(len(images)).print(rows_of(curves, {name: ms[name] for name in PEERS}))
    if arguments.plot:
        arguments.plot.write_text(chart(curves, {name: ms[name] for name in PEERS}))
    return 0


def opened(place: Path, options: ExportOptions, native_ops: bool | None) -> Engine:
    """An engine of the zoo's model on one thread."""
    bundle = place.with_suffix(".bundle")
    export_bundle(ZOO_HALTING, bundle, options)
    return Engine(bundle, threads=1, native_ops=native_ops)


def images_of(engine: Engine, data: str, count: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Test images, spread over all classes, and their labels."""
    spec, classes = engine.manifest.input, engine.manifest.classes
    samples = spread(find_samples([data], spec, "test"), count)
    images = np.stack([load_sample(each, spec) for each in samples])
    return images, class_indices(samples, classes)


def steps_of(engines: Mapping[str, Engine]) -> dict[str, Call]:
    """Calls that stop after each timestep, by name and timestep."""
    return {
        step_name(name, t): partial(engine, policy=NEVER.name, max_timesteps=t)
        for name, engine in engines.items()
        for t in range(1, engine.manifest.timesteps + 1)
    }


def step_name(name: str, timesteps: int) -> str:
    """The candidate that stops there."""
    return f"{name}, t = {timesteps}"


def peer_calls(config: ModelConfig) -> dict[str, Call]:
    """The dense ANN of the shape in ONNX Runtime, and SpikingJelly's network in PyTorch."""
    one = torch.rand((1, config.channels, *config.image_size))
    dense = peers.DenseTransformer(config).eval()
    graph = session(peers.plain_onnx(dense, one), 1)
    feed = {graph.get_inputs()[0].name: one.numpy()}
    network = peers.Fresh(peers.spikingjelly_model(config))

    def spikingjelly(_: NDArray[Any]) -> object:
        with torch.inference_mode():
            return network(one)

    return {"dense ANN": lambda _: graph.run(None, feed), "SpikingJelly": spikingjelly}


def median_ms(calls: Mapping[str, Call], images: NDArray[Any], rounds: int) -> dict[str, float]:
    """Process time per image, one at a time; medians of rounds in which all take turns."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in track(range(rounds), "measuring", transient=True, console=console):
        for name, call in calls.items():
            begin = time.process_time()
            for image in images:
                call(image[None])
            found[name].append(1e3 * (time.process_time() - begin) / len(images))
    return {name: float(np.median(values)) for name, values in found.items()}


def exit_ms(name: str, engine: Engine, ms: Mapping[str, float]) -> NDArray[np.float64]:
    """float64 [T]: time of an image that leaves after each timestep."""
    return np.array([ms[step_name(name, t)] for t in range(1, engine.manifest.timesteps + 1)])


def curve(
    engine: Engine, images: NDArray[Any], labels: NDArray[np.int64], ms: NDArray[np.float64]
) -> list[Point]:
    """Accuracy and time at every threshold, slowest first."""
    parts = [engine.record(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    trajectory = replace(join(parts), chunk_ms=np.diff(ms, prepend=0.0))
    seen = Observed(
        manifest=engine.manifest, trajectory=trajectory, labels=labels,
        epsilon=engine.settings.epsilon,
    )  # fmt: skip
    points = seen.curve(CONFIDENCE.name, seen.correct[:, -1])
    return sorted({each.average_timesteps: each for each in points}.values(), key=time_of)[::-1]


def time_of(point: Point) -> float:
    """Its time per image, which `curve` has set."""
    assert point.time_ms is not None
    return point.time_ms


def rows_of(curves: Mapping[str, Sequence[Point]], peer_ms: Mapping[str, float]) -> list[Row]:
    """All timesteps, the most accurate threshold and the fastest of each; then the peers."""
    rows = []
    for name, points in curves.items():
        best = max(points, key=lambda each: each.accuracy)
        for which, point in (("all timesteps", points[0]), ("most accurate", best),
                             ("fastest", points[-1])):  # fmt: skip
            figures = {"accuracy": point.accuracy, "timesteps": point.average_timesteps}
            rows.append(Row(f"{name}, {which}", {**figures, "ms": time_of(point)}))
    return [*rows, *(Row(name, {"ms": ms}) for name, ms in peer_ms.items())]


def table(images: int) -> Table:
    """What `rows_of` gives."""
    columns = [
        words("spikformer-3-96"), number("accuracy %", "accuracy", ".2f", 100),
        number("timesteps", "timesteps", ".2f"), number("ms per image", "ms", ".2f"),
    ]  # fmt: skip
    return Table(f"accuracy against time, {images} test images of CIFAR-10", columns)


def chart(curves: Mapping[str, Sequence[Point]], peer_ms: Mapping[str, float]) -> str:
    """Ours as lines through the thresholds, the peers as vertical lines, as an SVG file."""
    ours = [
        svg.Series(
            name, [time_of(each) for each in points], [100 * each.accuracy for each in points],
            marks=(0, len(points) - 1),
        )
        for name, points in curves.items()
    ]  # fmt: skip
    heights = [value for each in ours for value in each.y]
    ends = [min(heights), max(heights)]
    lines = [svg.Series(name, [ms, ms], ends) for name, ms in peer_ms.items()]
    drawn = svg.line_chart(
        "accuracy against time, one image on one core",
        "ms per image (process time)",
        "accuracy (%)",
        [*ours, *lines],
        log_x=True,
    )
    return svg.page([drawn])


if __name__ == "__main__":
    sys.exit(main())
