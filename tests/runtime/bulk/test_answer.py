"""One image that is wrong has a row that says why, and spoils none of the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.bulk.answer import answer_images
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import SIDE

T = 4


@pytest.fixture
def events(make_bundle: MakeBundle) -> Iterator[Engine]:
    with Engine(make_bundle(kind="frames"), policy="never") as engine:
        yield engine


def good(value: float = 1.0) -> NDArray[np.float32]:
    return np.full((T, 2, SIDE, SIDE), value, np.float32)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (good(np.nan), "hold NaN or infinity"),
        (good()[:, :, :3], "this bundle takes"),
        (good()[0], r"give one \[T, C, H, W\] in a row"),
        (good()[None], r"give one \[T, C, H, W\] in a row"),
    ],
)
def test_frames_that_are_wrong_spoil_no_others(events: Engine, wrong: Any, problem: str) -> None:
    spec = events.manifest.input
    rows = answer_images(events, spec, [("a", good()), ("b", wrong), ("c", good(0.5))])
    assert [row["error"] is None for row in rows] == [True, False, True]
    error = str(rows[1]["error"])
    assert error.startswith("b") and re.search(problem, error)
    assert rows[0]["probability"] == events(good()[None]).probabilities.max()


def test_an_image_of_other_channels_spoils_no_others(make_bundle: MakeBundle) -> None:
    with Engine(make_bundle(), policy="never") as engine:
        images = [("a", np.zeros((9, 9, 3), np.uint8)), ("b", np.zeros((9, 9, 1), np.uint8))]
        rows = answer_images(engine, engine.manifest.input, images)
    assert rows[0]["error"] is None and str(rows[1]["error"]).startswith("b: images have shape")
