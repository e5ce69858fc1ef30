from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cpu import masks
from benchmarks.cpu.masks import ASKED, BASE, GIVEN, exported, least_ms, row_of, table
from runtime import Engine
from tests.fakes.bundles import write_checkpoint


def test_a_cost_is_the_median_of_what_the_rounds_say() -> None:
    times = {BASE: [1.0, 2.0, 4.0], GIVEN: [1.01, 2.04, 4.0], ASKED: [1.1, 2.2, 4.4]}
    row = row_of("network", times)
    assert row["ms"] == 2.0
    assert row[GIVEN] == pytest.approx(0.01) and row[ASKED] == pytest.approx(0.1)
    assert 0 < row[f"{GIVEN} ±"] < 0.02 and row[f"{ASKED} ±"] == pytest.approx(0.0, abs=1e-9)
    assert table().cells(row)[:4] == ["network", "2.000", "+1.00", f"{100 * row[f'{GIVEN} ±']:.2f}"]


def test_every_call_has_its_least_slice_and_they_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    said: dict[str, Iterator[float]] = {"a": iter([3.0, 1.0, 2.0]), "b": iter([5.0, 6.0, 4.0])}
    calls: dict[str, Callable[[], object]] = {name: (lambda: None) for name in said}
    names = {id(call): name for name, call in calls.items()}

    def slice_ms(call: Callable[[], object]) -> float:
        asked.append(names[id(call)])
        return next(said[asked[-1]])

    monkeypatch.setattr(masks, "slice_ms", slice_ms)
    monkeypatch.setattr(masks, "SLICES", 3)
    assert least_ms(calls) == {"a": 1.0, "b": 4.0}
    assert asked == ["a", "b"] * 3


def test_a_slice_counts_process_time_per_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 0.02, 0.04, 0.06])
    monkeypatch.setattr(masks.time, "process_time", lambda: next(clock))
    assert masks.slice_ms(lambda: None) == pytest.approx(20.0)


def test_bundles_differ_in_their_masks_alone(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "small.pt")
    without, given = (exported(checkpoint, "packed", wanted) for wanted in (False, True))
    assert (without.manifest.live_masks, given.manifest.live_masks) == (False, True)
    spec = given.manifest.input
    images = np.zeros((1, spec.height, spec.width, spec.channels), np.uint8)
    with Engine(without) as one, Engine(given) as other:
        np.testing.assert_array_equal(one(images).logits, other(images).logits)
