from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.studies import event_stream
from benchmarks.studies.event_stream import Answer, frames_of, paced, play, rows_of, table
from train.config.frames import FrameOptions
from train.data.recordings.events import make_events

CUT = FrameOptions(window_ms=40, frames=4, size=(2, 2), hot_pixels=0, min_events=4)


def recording(times_ms: list[float]) -> Any:
    """One event at each time, in the upper left pixel, brighter."""
    t = np.array([round(1000 * each) for each in times_ms])
    zeros = np.zeros(len(t))
    return make_events("a", (t, zeros, zeros, zeros + 1), size=(4, 4))


def test_frames_follow_each_other_without_gap_or_overlap() -> None:
    frames = list(frames_of(recording([0, 3, 9.999, 10, 31, 40]), CUT))
    assert [each.counts.sum() for each in frames] == [3, 1, 0, 1]
    assert frames[0].counts.shape == (2, 2, 2) and frames[0].counts[1, 0, 0] == 3


def test_the_first_event_is_told_before_the_end_of_its_frame() -> None:
    frames = list(frames_of(recording([0, 13, 14, 40]), CUT))
    assert [each.first_ms for each in frames] == [10, 7, 0, 0]


def test_a_frame_is_there_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = 100.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(round(seconds, 6))
        now += seconds

    clock = SimpleNamespace(perf_counter=lambda: now, sleep=sleep)
    monkeypatch.setattr(event_stream, "time", clock)
    for number, _ in enumerate(paced(iter([np.zeros(1)] * 3), 0.5)):
        now += 0.2 if number else 0.7  # the first is late: the second comes at once
    assert waits == [0.5, 0.0, 0.1]


class SecondFrame:
    """An engine that answers `mug` 5 ms after the second frame of a window."""

    def stream_frames(self, source: Iterable[np.ndarray], begins: Any) -> Any:
        frames = list(source)
        index = 0
        while index + 1 < len(frames):
            if begins(frames[index]):
                result = SimpleNamespace(name="mug", timesteps=2)
                yield SimpleNamespace(index=index, result=result, latency_ms=15.0)
                index += 1
            index += 1


def test_latency_counts_from_the_first_event_of_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "read_events", lambda _: recording([0, 13, 14, 40]))
    monkeypatch.setattr(event_stream, "paced", lambda frames, seconds: frames)
    answers = play(SecondFrame(), tmp_path / "mug-2.aedat", CUT, 1.0)  # type: ignore[arg-type]
    assert answers == [Answer(right=True, waited_ms=20.0, latency_ms=25.0)]
    (other,) = play(SecondFrame(), tmp_path / "box.aedat", CUT, 2.0)  # type: ignore[arg-type]
    assert other == Answer(right=False, waited_ms=10.0, latency_ms=20.0)


def test_the_table_has_mean_median_and_centile() -> None:
    answers = [Answer(True, 25, 30), Answer(False, 50, 70)]
    rows = rows_of(answers)
    assert [row["mean_ms"] for row in rows] == [37.5, 50.0]
    assert "2 windows at 1 x real time, accuracy 50.00%" in table(answers, 1.0).title
