"""Answers of one network to all test images, by every method; finished ones are kept in files.

Methods but the droppers run through exported bundles, on one core, in batches.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapt.droppers import BATCH, DROPPERS, Droppers
from benchmarks.common.trained import as_inputs, in_memory
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from spikehalt.files import make_folder
from train.adapting.adapt import adapt
from train.checkpoint import Checkpoint, save_checkpoint
from train.data import Dataset, ImageSource, a_few

STATIC, FORECAST, TRAINED = "static", "forecasts", "trained halting"


@dataclass(frozen=True)
class Point:
    """One method at one share of tokens.

    Attributes:
        method: in words.
        labels: of all images, [N].
        tokens: live tokens over all tokens.
        ms: processor time per image; None where no bundle ran.
        epsilon: the margin, or that of the forecasts whose share a dropper has; None: no forecast.
    """

    method: str
    labels: NDArray[np.int64]
    tokens: float
    ms: float | None = None
    epsilon: float | None = None


@dataclass(frozen=True)
class Fit:
    """What forecasts are fitted to: as many images, the share of tokens to aim at."""

    images: int
    tokens: float


class Points:
    """One network's points.

    Args:
        out: folder of its files.
        static: the network without halting.
        data: its images; the training part is what forecasts are fitted to.
        test: images to answer; they are read for the first point that is not finished.
        native_ops: as an engine takes it.
    """

    def __init__(
        self,
        out: Path,
        static: Checkpoint,
        data: Dataset,
        test: ImageSource,
        native_ops: bool | None,
    ) -> None:
        make_folder(out)
        self._out, self._static, self._data, self._test = out, static, data, test
        self._native_ops = native_ops

    def static(self) -> Point:
        """Without halting."""

        def measure() -> dict[str, Any]:
            return self._answers(self._bundle(STATIC, lambda: self._static))

        return self._kept(STATIC, STATIC, measure)

    def trained(self, halting: Checkpoint) -> Point:
        """Of the same network, trained with halting."""

        def measure() -> dict[str, Any]:
            return self._answers(self._bundle("trained", lambda: halting))

        return self._kept("trained", TRAINED, measure)

    def forecasts(self, fit: Fit, epsilon: float) -> Point:
        """Of one bundle at any margin."""

        def measure() -> dict[str, Any]:
            return self._answers(self._bundle("forecast", lambda: self._adapted(fit)), epsilon)

        return self._kept(f"forecast-{epsilon:g}", FORECAST, measure, epsilon)

    def dropped(self, forecast: Point) -> list[Point]:
        """All droppers with as many tokens as the forecasts."""
        found = []
        for kind, method in DROPPERS.items():

            def measure(kind: Any = kind) -> dict[str, Any]:
                labels, tokens = self._droppers.answers(kind, forecast.tokens)
                return {"labels": labels, "tokens": tokens}

            name = f"{kind}-{forecast.epsilon:g}"
            found.append(self._kept(name, method, measure, forecast.epsilon))
        return found

    def _kept(
        self,
        name: str,
        method: str,
        measure: Callable[[], dict[str, Any]],
        epsilon: float | None = None,
    ) -> Point:
        file = self._out / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps(measure()))
        found = json.loads(file.read_text())
        labels = np.asarray(found["labels"], np.int64)
        return Point(method, labels, found["tokens"], found.get("ms"), epsilon)

    def _adapted(self, fit: Fit) -> Checkpoint:
        images = self._data.train.take(a_few(self._data.train, fit.images))
        return adapt(self._static, in_memory(images), fit.tokens).checkpoint

    def _bundle(self, name: str, make: Callable[[], Checkpoint]) -> Path:
        path = self._out / f"{name}.pt"
        if not path.exists():
            save_checkpoint(path, make())
        return export_bundle(path, path.with_suffix(".bundle"), ExportOptions(), force=True).root

    @cached_property
    def _droppers(self) -> Droppers:
        return Droppers(self._static, in_memory(self._test))

    @cached_property
    def _inputs(self) -> NDArray[Any]:
        return as_inputs(self._test)

    def _answers(self, bundle: Path, epsilon: float | None = None) -> dict[str, Any]:
        """Answers of a bundle to all images, all timesteps."""
        options: dict[str, Any] = {"policy": "never", "native_ops": self._native_ops}
        with Engine(bundle, max_batch=BATCH, threads=1, epsilon=epsilon, **options) as engine:
            engine(self._inputs[:BATCH])  # warm-up
            begin = time.process_time()
            result = engine(self._inputs)
            seconds = time.process_time() - begin
        return {
            "labels": result.labels.tolist(),
            "tokens": float(result.average_tokens.mean()),
            "ms": 1000 * seconds / len(self._inputs),
        }


def all_points(
    points: Points, fit: Fit, epsilons: Sequence[float], halting: Checkpoint | None
) -> list[Point]:
    """Every point of a network, the static one first."""
    found = [points.static()]
    for epsilon in epsilons:
        forecast = points.forecasts(fit, epsilon)
        found += [forecast, *points.dropped(forecast)]
    return found + ([points.trained(halting)] if halting else [])
