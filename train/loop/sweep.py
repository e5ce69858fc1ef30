"""The same recipe over a grid of values; points that are finished are not trained again.

Where only the halting phase depends on what is swept, the static phase is trained once for all.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from spikehalt.console import cell
from spikehalt.errors import ConfigError
from spikehalt.files import put_file
from spikehalt.reading import reading
from spikehalt.strict import build, to_dict
from train.checkpoint import Checkpoint, load_checkpoint
from train.config import PhaseConfig, TrainConfig
from train.loop.once import train_once
from train.parallel.on_ray import each_on_ray
from train.recipes import merge

# Settings that a static phase does not read.
_HALTING_ONLY = (
    "halting.",
    "model.halting.",
    "model.merge_gamma",
    "model.merge_threshold",
    "model.drop.",
    "loss.weight_by_time",
)


@dataclass(frozen=True)
class Axis:
    """One swept key, dotted, and its values."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class SweepPoint:
    """What one point of the grid reached on the validation split.

    Attributes:
        values: by key.
        accuracy: after all timesteps.
        accuracy_t1: after the first.
        accuracy_t2: after the second, or after the first where T is 1.
        average_tokens: live tokens over K_0.
        checkpoint: of its last phase.
    """

    values: dict[str, Any]
    accuracy: float
    accuracy_t1: float
    accuracy_t2: float
    average_tokens: float
    checkpoint: Path


def parse_axis(text: str) -> Axis:
    """`halting.ponder_weight=1e-3,1e-2` as an Axis.

    Raises:
        ConfigError: it is not KEY=VALUE,VALUE.
    """
    key, equals, values = text.partition("=")
    if not (key and equals and values):
        raise ConfigError(f"--over {text!r} must be KEY=VALUE,VALUE,…")
    return Axis(key, tuple(_value(part) for part in values.split(",")))


def _value(text: str) -> Any:
    """A number, a truth value, null, or a word; YAML alone takes 1e-3 for a word."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    with reading(f"--over: {text[:80]!r}", ConfigError, "is not a value"):
        return yaml.safe_load(text)


def sweep(config: TrainConfig, axes: list[Axis], ray: str | None = None) -> Iterator[SweepPoint]:
    """Train every combination, one folder each under `config.out`; yields them in their order.

    `sweep.csv` there holds all points that are done.

    Args:
        config: the recipe.
        axes: what is swept.
        ray: address of the Ray cluster that trains the points, all at once; None: here, one after
            the other.

    Raises:
        ClusterError: of the cluster.
        ConfigError: a key or a combination is not valid, and nothing was trained; or a folder holds
            a run of other settings.
    """
    grid = [
        dict(zip((axis.key for axis in axes), values, strict=True))
        for values in itertools.product(*(axis.values for axis in axes))
    ]
    runs = [_with_values(config, values) for values in grid]
    start = _shared_static(config, axes)
    done: dict[int, SweepPoint] = {}
    given = 0
    for place, path in _trained(runs, start, ray):
        done[place] = _point(grid[place], path)
        _write(Path(config.out) / "sweep.csv", [done[each] for each in sorted(done)])
        while given in done:
            yield done[given]
            given += 1


def _trained(
    runs: list[TrainConfig], start: Checkpoint | None, ray: str | None
) -> Iterator[tuple[int, Path]]:
    """Places and checkpoints of runs, as they are done."""
    if ray is None:
        yield from ((place, train_once(point, start)) for place, point in enumerate(runs))
        return
    gpu = runs[0].accelerator != "cpu"
    yield from each_on_ray(ray, train_once, runs, gpu=gpu, shared=start)


def _with_values(config: TrainConfig, values: dict[str, Any]) -> TrainConfig:
    plain = to_dict(config)
    for key, value in values.items():
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        plain = merge(plain, nested)
    folder = ",".join(f"{key}={value}" for key, value in values.items())
    return replace(build(TrainConfig, plain), out=str(Path(config.out) / folder))


def _shared_static(config: TrainConfig, axes: list[Axis]) -> Checkpoint | None:
    """The static phase's checkpoint, if every point shares it."""
    shared = all(axis.key.startswith(_HALTING_ONLY) for axis in axes)
    if not shared or config.static.epochs == 0 or config.halting.epochs == 0:
        return None
    alone = replace(config, halting=PhaseConfig(epochs=0), out=str(Path(config.out) / "static"))
    return load_checkpoint(train_once(alone))


def _point(values: dict[str, Any], path: Path) -> SweepPoint:
    metrics = load_checkpoint(path).metrics
    accuracy, tokens = metrics["validation_accuracy"], metrics["average_tokens"]
    return SweepPoint(values, accuracy[-1], accuracy[0], accuracy[:2][-1], tokens, path)


def _write(path: Path, points: list[SweepPoint]) -> None:
    accuracies = [f"validation_accuracy{part}" for part in ("", "_t1", "_t2")]
    names = [*accuracies, "average_tokens", "checkpoint"]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*points[0].values, *names])
    for point in points:
        figures = (point.accuracy, point.accuracy_t1, point.accuracy_t2, point.average_tokens)
        values = [cell(v) if isinstance(v, str) else v for v in point.values.values()]
        writer.writerow([*values, *figures, cell(str(point.checkpoint))])
    put_file(path, text.getvalue(), "table")
