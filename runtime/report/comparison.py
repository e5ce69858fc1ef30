"""Two bundles on the same images: the figures of each, and how often they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.engine import Engine
from runtime.errors import ConfigError
from runtime.report.baseline import call_ms
from runtime.results.result import Result
from spikehalt.console import few


def check_comparable(engine: Engine, other: Engine) -> None:
    """Refuse bundles that cannot answer the same question.

    Raises:
        ConfigError: one takes image files and the other event frames, or their classes differ.
    """
    mine, theirs = engine.manifest, other.manifest
    if mine.input.kind != theirs.input.kind:
        raise ConfigError(
            f"{mine.name} takes input of kind {mine.input.kind!r} and {theirs.name} of "
            f"{theirs.input.kind!r}; a report compares bundles on the same files"
        )
    if set(mine.classes) != set(theirs.classes):
        differing = sorted(set(mine.classes) ^ set(theirs.classes))
        shown = few([repr(name) for name in differing], 3)
        raise ConfigError(
            f"{mine.name} and {theirs.name} have different classes ({shown}): compare bundles of "
            "the same classes"
        )


def agreement(
    mine: Result, theirs: Result, labels: NDArray[np.int64] | None
) -> dict[str, float | None]:
    """Shares of images on which answers, matched by name, agree; and who alone is right.

    Args:
        mine: answers of the report's bundle.
        theirs: of the other, whose classes may stand in another order.
        labels: right answers in the order of `mine`; None where they are not known.
    """
    place = {name: number for number, name in enumerate(mine.manifest.classes)}
    renamed = np.array([place[name] for name in theirs.manifest.classes])[theirs.labels]
    found: dict[str, float | None] = {"same": float((mine.labels == renamed).mean())}
    if labels is None:
        return found | {"only_this_right": None, "only_other_right": None}
    right, other_right = mine.labels == labels, renamed == labels
    return found | {
        "only_this_right": float((right & ~other_right).mean()),
        "only_other_right": float((other_right & ~right).mean()),
    }


def calls_in_turn(
    engines: Sequence[Engine], inputs: Sequence[Sequence[NDArray[Any]]]
) -> list[float]:
    """Median time of a call with one image, ms, per engine; they take turns on the same images.

    Args:
        engines: as they are set.
        inputs: per engine, the same images as it takes them.
    """
    times: list[list[float]] = [[] for _ in engines]
    for images in zip(*inputs, strict=True):
        for engine, one, measured in zip(engines, images, times, strict=True):
            measured.append(call_ms(engine, one))
    return [float(np.median(each)) for each in times]
