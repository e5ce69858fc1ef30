from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.errors import ConfigError, InputError
from tests.runtime.conftest import MakeBundle

Frames = NDArray[np.float32]
T = 4


@pytest.fixture
def engine(make_bundle: MakeBundle) -> Iterator[Engine]:
    with Engine(make_bundle(kind="frames", chunk=1), policy="never") as engine:
        yield engine


def a_threshold_that_splits(engine: Engine, frames: Frames) -> float:
    """A confidence that some samples reach before the last timestep and some do not."""
    confidence = np.sort(engine(frames, max_timesteps=1).probabilities.max(axis=1))
    return float(confidence[len(confidence) // 2])


def test_windows_of_all_frames_are_answered_as_samples(engine: Engine, frames: Frames) -> None:
    streamed = list(engine.stream_frames(frames.reshape(-1, *frames.shape[2:])))
    assert [each.index for each in streamed] == [T * n for n in range(len(frames))]
    wanted = engine(frames).probabilities.max(axis=1)
    assert np.array_equal([each.result.probability for each in streamed], wanted)


def test_a_window_ends_with_the_frame_that_decides_it(engine: Engine, frames: Frames) -> None:
    exits: dict[str, Any] = {
        "policy": "confidence",
        "threshold": a_threshold_that_splits(engine, frames),
    }
    flat = frames.reshape(-1, *frames.shape[2:])
    begin, timesteps = 0, set()
    for each in engine.stream_frames(flat, **exits):
        assert each.index == begin
        window = np.zeros_like(frames[0])
        there = flat[begin : begin + T]
        window[: len(there)] = there
        alone = engine(window, **exits)[0]
        assert np.array_equal(each.result.probability, alone.probability)
        assert each.result.timesteps == alone.timesteps
        assert np.array_equal(each.result.probabilities, alone.probabilities)
        begin += alone.timesteps
        timesteps.add(alone.timesteps)
    assert len(timesteps) > 1


def test_an_answer_does_not_wait_for_later_frames(engine: Engine, frames: Frames) -> None:
    answered, waited_in_vain = threading.Event(), False

    def source() -> Iterator[Frames]:
        nonlocal waited_in_vain
        yield frames[0, 0]
        waited_in_vain = not answered.wait(timeout=20)
        yield frames[0, 1]

    for _ in engine.stream_frames(source(), policy="confidence", threshold=0.0):
        answered.set()
    assert not waited_in_vain


def test_a_window_begins_with_the_first_event(engine: Engine, frames: Frames) -> None:
    quiet = np.zeros_like(frames[0])
    streamed = list(engine.stream_frames([*quiet[:3], *frames[0]]))
    assert [(each.index, each.dropped) for each in streamed] == [(3, 3)]


def test_what_begins_a_window_can_be_told(engine: Engine, frames: Frames) -> None:
    faint = 0.01 * frames[0]
    loud = engine.stream_frames([*faint, *frames[1]], begins=lambda frame: frame.mean() > 0.1)
    assert [each.index for each in loud] == [T]


def test_a_window_that_the_source_cuts_off_has_no_answer(engine: Engine, frames: Frames) -> None:
    streamed = list(engine.stream_frames([*frames[0], *frames[1, :2]]))
    assert len(streamed) == 1


def test_a_frame_that_does_not_fit_is_told_after_the_answers_before_it(
    engine: Engine, frames: Frames
) -> None:
    answers = engine.stream_frames([*frames[0], frames[0]])
    assert next(answers).index == 0
    with pytest.raises(InputError, match=r"a frame has shape \[4, 2"):
        next(answers)


def test_waiting_for_frames_is_no_time_of_the_engine(engine: Engine, frames: Frames) -> None:
    engine.reset_stats()
    list(engine.stream_frames(frames[0]))
    assert engine.stats.images == 1


def test_a_bundle_for_images_is_refused(make_bundle: MakeBundle) -> None:
    with Engine(make_bundle()) as engine, pytest.raises(ConfigError, match=r"call engine\.stream"):
        engine.stream_frames([])
