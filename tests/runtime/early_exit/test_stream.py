from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.bundle.read import Bundle
from runtime.early_exit.stream import frames_of
from runtime.errors import EngineStateError, InputError
from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.errors import ConfigError
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import toy_manifest

Images = NDArray[np.uint8]


@pytest.fixture
def engine(bundle: Bundle) -> Iterator[Engine]:
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        yield engine


def reader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "frame reader"]


@pytest.mark.parametrize("batch", [1, 5])
def test_answers_come_in_order_and_equal_a_call(engine: Engine, images: Images, batch: int) -> None:
    expected = engine(images)

    streamed = list(engine.stream(iter(images), batch=batch))

    assert [each.index for each in streamed] == list(range(12))
    assert [each.result.label for each in streamed] == expected.labels.tolist()
    assert [each.result.timesteps for each in streamed] == expected.timesteps.tolist()
    assert all(each.latency_ms > 0 and each.dropped == 0 for each in streamed)
    assert reader_threads() == []


def test_the_source_waits_while_the_queue_is_full(engine: Engine, images: Images) -> None:
    taken: list[int] = []

    def camera() -> Iterator[Any]:
        for number in range(50):
            taken.append(number)
            yield images[number % 12]

    stream = engine.stream(camera(), queue=2)
    for _ in range(5):
        next(stream)

    assert len(taken) <= 5 + 2 + 2  # answered, waiting, and one in the reader's hands
    stream.close()
    assert reader_threads() == []


def test_the_oldest_frame_is_dropped_when_asked(engine: Engine, images: Images) -> None:
    all_read = threading.Event()

    def camera() -> Iterator[Any]:
        yield from (images[number % 12] for number in range(30))
        all_read.set()

    stream = engine.stream(camera(), queue=3, drop="oldest")
    first = next(stream)
    assert all_read.wait(10)  # the camera never waits for us
    rest = list(stream)

    assert [each.index for each in rest] == [n for n in (27, 28, 29) if n != first.index]
    assert rest[-1].dropped == 30 - 1 - len(rest)


def test_stopping_early_stops_the_reader(engine: Engine, images: Images) -> None:
    def forever() -> Iterator[Any]:
        while True:
            yield images[0]

    for streamed in engine.stream(forever()):
        if streamed.index == 3:
            break

    assert reader_threads() == [] or not reader_threads()[0].is_alive()


def test_an_error_of_the_source_comes_after_the_answers_before_it(
    engine: Engine, images: Images
) -> None:
    def broken() -> Iterator[Any]:
        yield images[0]
        yield images[1]
        raise OSError("the cable is out")

    answered = []
    with pytest.raises(OSError, match="the cable is out"):
        for streamed in engine.stream(broken()):
            answered.append(streamed.index)

    assert answered == [0, 1]
    assert len(engine(images)) == 12


def test_frames_of_another_size_are_resized(engine: Engine) -> None:
    big = np.zeros((40, 60, 3), np.uint8)
    big[..., 1] = 200

    (streamed,) = engine.stream([big])

    assert streamed.result.name == "green"


def test_frames_can_be_prepared_in_the_reader(engine: Engine, images: Images) -> None:
    names: list[str] = []

    def prepare(frame: dict[str, Any]) -> Any:
        names.append(threading.current_thread().name)
        return frame["pixels"]

    streamed = list(engine.stream([{"pixels": images[3]}], prepare=prepare))

    assert streamed[0].result.label == engine(images[3]).labels[0]
    assert names == ["frame reader"]


def test_a_frame_that_does_not_fit_is_named(engine: Engine) -> None:
    with pytest.raises(InputError, match="uint8"):
        list(engine.stream([np.zeros((4, 4, 3), np.float32)]))


def test_settings_hold_for_the_whole_stream(engine: Engine, images: Images) -> None:
    streamed = list(engine.stream(images, policy="never", max_timesteps=2))

    assert {each.result.timesteps for each in streamed} == {2}


def test_event_frames_stream_too(make_bundle: MakeBundle, frames: NDArray[np.float32]) -> None:
    with Engine(make_bundle(kind="frames"), policy="never") as engine:
        streamed = list(engine.stream(frames))
        assert [each.result.label for each in streamed] == engine(frames).labels.tolist()


class Capture:
    """What OpenCV's VideoCapture looks like."""

    def __init__(self, frames: list[Any]) -> None:
        self.frames = frames

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, Any]:
        return (True, self.frames.pop(0)) if self.frames else (False, None)


def test_a_capture_is_read_to_its_end_and_its_colours_are_swapped(engine: Engine) -> None:
    blue_first = np.zeros((4, 4, 3), np.uint8)
    blue_first[..., 0] = 250

    streamed = list(engine.stream(Capture([blue_first, blue_first])))

    assert [each.result.name for each in streamed] == ["blue", "blue"]


def test_a_captures_colours_stay_where_the_bundle_learned_opencvs_order(
    make_bundle: MakeBundle,
) -> None:
    first = np.zeros((4, 4, 3), np.uint8)
    first[..., 0] = 250
    spec = replace(toy_manifest().input, preprocessing=Preprocessing(channel_order="bgr"))
    with Engine(make_bundle(input=spec)) as engine:
        assert [each.result.name for each in engine.stream(Capture([first]))] == ["red"]


def test_other_sources_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot read frames from int"):
        frames_of(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": "newest"}, "drop must be None or 'oldest'"),
        ({"queue": 0}, "positive integer"),
        ({"batch": 0}, "positive integer"),
        ({"policy": "x"}, "unknown exit policy"),
    ],
)
def test_options_out_of_range_are_refused_at_once(
    engine: Engine, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        engine.stream([], **options)


def test_a_closed_engine_does_not_stream(engine: Engine) -> None:
    engine.close()

    with pytest.raises(EngineStateError, match="closed"):
        engine.stream([])
