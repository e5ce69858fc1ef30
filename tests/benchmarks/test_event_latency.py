from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.event_latency import Answer, answer_all, rows_of, table, without_later
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
