"""Running the comparison and writing down what came of it."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polygraphy.comparator import Comparator, IterationResult
from polygraphy.logger import G_LOGGER

from export.comparison.measures import Agreement, ExitRule, Tolerance, agreement
from export.comparison.runners import DATA, ComparedRunner
from spikehalt.files import put_file


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of comparing runners with the first of them.

    Attributes:
        bundle: path of the bundle.
        reference: name of the first runner.
        images: how many were compared.
        rule: when images leave.
        tolerance: what counts as agreement.
        agreements: by runner.
        seconds: by runner, for all images; not a benchmark.
        left_out: runners that could not run, and why.
        same_graphs: whether the checkpoint gives the bundle's graphs byte for byte; None without
            one.
    """

    bundle: str
    reference: str
    images: int
    rule: ExitRule
    tolerance: Tolerance
    agreements: dict[str, Agreement]
    seconds: dict[str, float]
    left_out: dict[str, str]
    same_graphs: bool | None

    @property
    def violations(self) -> dict[str, list[str]]:
        """What is beyond the tolerance, by runner."""
        found = {name: each.violations(self.tolerance) for name, each in self.agreements.items()}
        return {name: problems for name, problems in found.items() if problems}

    def to_json(self) -> str:
        """The whole comparison, and the verdict."""
        data = asdict(self) | {"violations": self.violations, "agrees": not self.violations}
        return json.dumps(data, indent=2) + "\n"

    def save(self, path: Path) -> None:
        """Write the JSON file.

        Raises:
            OutputError: the disk refused.
        """
        put_file(path, self.to_json(), "comparison")


def compare_runners(
    runners: Sequence[ComparedRunner],
    data: NDArray[Any],
    rule: ExitRule,
    tolerance: Tolerance,
    **facts: Any,
) -> Comparison:
    """Run everything on the same images and compare with the first runner.

    Args:
        runners: at least two; the first is the reference.
        data: all images.
        rule: when images leave.
        tolerance: what counts as agreement.
        **facts: bundle, left_out and same_graphs of the result.
    """
    found: dict[str, Agreement] = {}

    def compare(reference: IterationResult, other: IterationResult) -> OrderedDict[str, bool]:
        arrays = [dict(each.items()) for each in (reference, other)]
        result = agreement(_plain(arrays[0]), _plain(arrays[1]), rule)
        found[other.runner_name] = result
        return OrderedDict(agreement=not result.violations(tolerance))

    pairs = [(0, index) for index in range(1, len(runners))]
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
        results = Comparator.run(list(runners), data_loader=[{DATA: data}])
        Comparator.compare_accuracy(results, compare_func=compare, comparisons=pairs)
    seconds = {name: float(iterations[0].runtime) for name, iterations in results.items()}
    return Comparison(
        reference=runners[0].name, images=len(data), rule=rule, tolerance=tolerance,
        agreements=found, seconds=seconds, **facts,
    )  # fmt: skip


def _plain(arrays: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Polygraphy's lazy arrays as numpy arrays."""
    return {name: np.asarray(getattr(a, "numpy", lambda a=a: a)()) for name, a in arrays.items()}
