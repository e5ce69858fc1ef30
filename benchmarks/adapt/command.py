"""Accuracy against tokens of networks that were trained without halting; tables and one figure.

    python -m benchmarks.adapt --data cifar10.zip                     the zoo's CIFAR-10 model
    python -m benchmarks.adapt --static A.pt B.pt --halting A-halting.pt --data … --images 2000
    python -m benchmarks.adapt --data cifar10.zip --figure curve.svg

No method but `trained halting` changes a weight or sees a label. The forecasts of a network are
one bundle, turned by its margin; beside each margin the droppers run as many tokens. Finished
points are read from --out and not measured again.

"As static" is the share of the images with the static network's answer. Differences are image by
image, in points, with their standard errors: of accuracy to the static network, and of a dropper's
accuracy and agreement to those of the forecasts above it. Times are the processor's, of one core,
in batches of 16.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapt.paired import difference
from benchmarks.adapt.points import FORECAST, STATIC, Fit, Point, Points, all_points
from benchmarks.common import command_line, native
from benchmarks.common.table import Column, Row, Table, number, words
from benchmarks.common.trained import ZOO
from spikehalt.commands import Parser, share, whole
from spikehalt.errors import ConfigError
from train.checkpoint import Checkpoint, load_checkpoint
from train.data import a_few
from train.figures.canvas import canvas, check_suffix, outside_legend, write
from train.measure.adaptivity import standard_error
from train.measure.splits import checkpoint_data

EPSILONS = (0.8, 0.9, 0.95, 0.98)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is not measured yet, print the tables; returns the exit status."""
    arguments = parser().parse_args(argv)
    if arguments.figure:
        check_suffix(arguments.figure)
    networks = read_networks(arguments.static)
    halting = match(arguments.halting, networks)
    data = checkpoint_data(next(iter(networks.values())), arguments.data or "")
    test = data.test.take(a_few(data.test, arguments.images))
    fit = Fit(arguments.count, arguments.tokens)
    found = {}
    for name, static in networks.items():
        points = Points(arguments.out / name, static, data, test, arguments.native_ops)
        measured = all_points(points, fit, arguments.epsilon, halting.get(name))
        found[name] = rows_of(measured, test.labels.numpy())
        table(name, len(test), arguments.native_ops).print(found[name])
    if arguments.figure:
        write(drawn(found, len(test)), arguments.figure)
    return 0


def parser() -> Parser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.adapt", __doc__)
    zoo = str(ZOO / "cifar10-small" / "static.pt")
    p.add_argument(
        "--static", nargs="+", default=[zoo], metavar="CKPT",
        help="checkpoints without halting, of the same classes and image size",
    )  # fmt: skip
    p.add_argument(
        "--halting", nargs="+", default=[], metavar="CKPT",
        help="networks of these shapes, trained with halting",
    )  # fmt: skip
    p.add_argument("--data", metavar="PATH", help="their images, where they moved")
    p.add_argument("--images", type=whole(1), default=10_000, help="test images, at most")
    p.add_argument(
        "--epsilon", type=share, nargs="+", default=EPSILONS, help="margins of forecasts"
    )
    p.add_argument("--tokens", type=share, default=0.6, help="share that forecasts aim at")
    p.add_argument(
        "--count", type=whole(2), default=256, help="images that forecasts are fitted to"
    )
    native.add_option(p)
    p.add_argument("--out", type=Path, default=Path("runs/adapt"), help="folder of the results")
    p.add_argument("--figure", type=Path, metavar="FILE", help="draw the curves there")
    return p


def read_networks(paths: Sequence[str]) -> dict[str, Checkpoint]:
    """Static networks by name.

    Raises:
        ConfigError: two have one name, or they do not take the same images.
    """
    networks: dict[str, Checkpoint] = {}
    for path in paths:
        network = load_checkpoint(path)
        name = name_of(network)
        if name in networks:
            raise ConfigError(f"{path} is a second {name}: compare it with an --out of its own")
        first = next(iter(networks.values()), network)
        if (network.classes, network.model.image_size) != (first.classes, first.model.image_size):
            raise ConfigError(f"{path} has other classes or image sizes than {paths[0]}")
        networks[name] = network
    return networks


def name_of(network: Checkpoint) -> str:
    """Such as spikformer-3-96."""
    model = network.model
    return f"{model.arch}-{model.depth}-{model.dim}"


def match(paths: Sequence[str], networks: dict[str, Checkpoint]) -> dict[str, Checkpoint]:
    """Trained networks by the names of the static ones that they belong to.

    Raises:
        ConfigError: one belongs to none.
    """
    found = {}
    for path in paths:
        halting = load_checkpoint(path)
        static = networks.get(name_of(halting))
        if static is None or not _same_shape(static, halting):
            raise ConfigError(
                f"{path} is no form of a --static network; those are {', '.join(networks)}"
            )
        found[name_of(halting)] = halting
    return found


def _same_shape(static: Checkpoint, halting: Checkpoint) -> bool:
    return replace(halting.model.static(), halting=static.model.halting) == static.model


def rows_of(points: Sequence[Point], labels: NDArray[np.int64]) -> list[Row]:
    """Points as rows of the table; the first is the static network's."""
    static = points[0]
    forecasts = {point.epsilon: point for point in points if point.method == FORECAST}
    rows = []
    for point in points:
        right, same = point.labels == labels, point.labels == static.labels
        figures: dict[str, Any] = {
            "tokens": point.tokens, "ms": point.ms, "epsilon": point.epsilon,
            "accuracy": float(right.mean()), "agreement": float(same.mean()),
            "error": standard_error(float(same.mean()), len(labels)),
        }  # fmt: skip
        if point is not static:
            figures["change"] = difference(right, static.labels == labels)
        beside = forecasts.get(point.epsilon)
        if beside is not None and beside is not point:
            figures["behind"] = difference(right, beside.labels == labels)
            figures["behind_same"] = difference(same, beside.labels == static.labels)
        rows.append(Row(point.method, figures, in_words(point)))
    return rows


def in_words(point: Point) -> str:
    """The method, and the margin where it has one of its own."""
    return f"{point.method}, ε {point.epsilon:g}" if point.method == FORECAST else point.method


def table(name: str, images: int, native_ops: bool | None) -> Table:
    """The comparison."""
    columns = [
        words("method"), number("tokens", "tokens", ".3f"), number("accuracy", "accuracy", ".2%"),
        _difference("- static's", "change"), _difference("- forecasts'", "behind"),
        number("as static", "agreement", ".2%"), number("±", "error", ".2%"),
        _difference("- forecasts'", "behind_same"), number("ms/image", "ms", ".2f"),
    ]  # fmt: skip
    how = native.in_words(native_ops)
    return Table(f"{name}: {images:,} test images, all timesteps, one core, {how}", columns)


def _difference(title: str, figure: str) -> Column:
    """A column of differences; empty where there is none."""
    return Column(title, lambda row: str(row.figures.get(figure, "")))


def drawn(networks: dict[str, list[Row]], images: int) -> Any:
    """Accuracy, and agreement with the static network, over tokens; a column per network."""
    figure, axes = canvas(3.4 * len(networks) + 2.0, 5.6, rows=2, columns=len(networks))
    for column, (name, rows) in enumerate(networks.items()):
        axes[0][column].set_title(name)
        axes[1][column].set_xlabel("live tokens over all tokens")
        _curves(axes[0][column], rows, "accuracy")
        _curves(axes[1][column], rows, "agreement")
    axes[0][0].set_ylabel(f"accuracy in % ({images:,} images)")
    axes[1][0].set_ylabel("answer as static in %")
    outside_legend(figure, axes[0][0])
    return figure


def _curves(axis: Any, rows: Sequence[Row], figure: str) -> None:
    """A line per method; the static network's accuracy as a level."""
    for method in dict.fromkeys(row.name for row in rows):
        points = sorted((row["tokens"], 100 * row[figure]) for row in rows if row.name == method)
        if method == STATIC:
            axis.axhline(points[0][1], linestyle=":", color="grey", label=method)
        else:
            axis.plot(*zip(*points, strict=True), marker="o", label=method)
