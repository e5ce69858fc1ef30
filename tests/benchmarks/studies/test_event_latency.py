from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.studies.event_latency import Answer, answer_all, rows_of, same, table, without_later
from runtime.bundle.manifest import InputSpec


class Sums:
    """An engine whose answer is a sum of frames, after as many as hold the first event."""

    def __init__(self, spec: InputSpec, *, looks_ahead: bool) -> None:
        self.manifest = SimpleNamespace(input=spec)
        self.looks_ahead = looks_ahead

    def __call__(self, frames: np.ndarray) -> Any:
        """Class `mug` where there is any event."""
        after = int(np.argmax(frames[0].any((1, 2, 3)))) + 1
        seen = frames if self.looks_ahead else frames[:, :after]
        return SimpleNamespace(
            names=("mug",), timesteps=np.array([after]), logits=np.array([[seen.sum()]])
        )


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    for label, first in (("mug", 0), ("box", 2)):
        frames = np.zeros((4, 2, 3, 3), np.float32)
        frames[first:] = 1
        (tmp_path / label).mkdir()
        np.savez(tmp_path / label / "a.npz", frames=frames)
    return tmp_path


@pytest.mark.parametrize("looks_ahead", [False, True])
def test_an_answer_that_needs_later_frames_is_noticed(windows: Path, looks_ahead: bool) -> None:
    spec = InputSpec(kind="frames", height=3, width=3, channels=2, timesteps=4)
    answers = answer_all(Sums(spec, looks_ahead=looks_ahead), str(windows))  # type: ignore[arg-type]
    assert [(each.right, each.timesteps) for each in answers] == [(False, 3), (True, 1)]
    assert [each.causal for each in answers] == [not looks_ahead] * 2


def test_later_frames_are_emptied_in_a_copy() -> None:
    frames = np.ones((1, 4, 2, 3, 3), np.float32)
    assert without_later(frames, 1).sum() == 18 and frames.sum() == 72


def test_latency_is_the_frames_waited_for_and_the_time_to_compute() -> None:
    answers = [Answer(True, 1, 5.0, True), Answer(False, 3, 15.0, True)]
    assert [row["mean_ms"] for row in rows_of(answers, 25.0)] == [50.0, 10.0, 60.0]
    assert "accuracy 50.00%" in table(answers).title


def answered(timesteps: list[int], logits: list[list[float]]) -> Any:
    return SimpleNamespace(timesteps=np.array(timesteps), logits=np.array(logits))


def test_answers_are_the_same_after_the_same_timesteps_with_the_same_logits() -> None:
    one = answered([2], [[0.5, 1.0]])
    assert same(one, answered([2], [[0.5, 1.0]]))
    assert not same(one, answered([3], [[0.5, 1.0]]))
    assert not same(one, answered([2], [[0.5, 1.0 + 1e-12]]))


def test_nothing_is_emptied_after_the_last_timestep() -> None:
    frames = np.ones((1, 4, 2, 3, 3), np.float32)
    np.testing.assert_array_equal(without_later(frames, 4), frames)


def test_a_part_of_the_latency_has_its_mean_median_and_90th_centile() -> None:
    """Eleven windows that wait for 10 to 110 ms and compute for nothing."""
    answers = [Answer(True, n, 0.0, True) for n in range(1, 12)]
    waited, computed, answer = rows_of(answers, 10.0)
    expected = {"mean_ms": 60.0, "median_ms": 60.0, "p90_ms": 100.0}
    assert waited.figures == pytest.approx(expected)
    assert answer.figures == pytest.approx(expected)
    assert computed.figures == {"mean_ms": 0.0, "median_ms": 0.0, "p90_ms": 0.0}


def test_the_centile_of_an_answer_is_not_the_sum_of_its_parts_centiles() -> None:
    """Windows that wait long compute shortly here, so that every answer takes 30 ms."""
    answers = [Answer(True, n, 30.0 - 10 * n, True) for n in (1, 2, 3)]
    waited, computed, answer = rows_of(answers, 10.0)
    assert answer["p90_ms"] == answer["median_ms"] == pytest.approx(30.0)
    assert waited["p90_ms"] + computed["p90_ms"] > 40


def test_the_table_counts_windows_and_shows_three_figures_a_row() -> None:
    answers = [Answer(n > 0, 2, 1.25, True) for n in range(4)]
    shown = table(answers)
    assert shown.title == "4 windows, accuracy 75.00%"
    rows = rows_of(answers, 50.0)
    assert [shown.cells(row) for row in rows] == [
        ["frames waited for", "100.0", "100.0", "100.0"],
        ["computing", "1.2", "1.2", "1.2"],
        ["answer", "101.2", "101.2", "101.2"],
    ]
