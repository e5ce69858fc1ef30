from __future__ import annotations

import numpy as np
import pytest

from spikehalt.errors import ConfigError
from train.config.frames import FrameOptions
from train.data.recordings import Events, frames_of_windows, mask_hot_pixels
from train.data.recordings.events import make_events, unwrapped
from train.errors import DataError


def events(times: list[int], x: int = 0, y: int = 0, p: int = 1) -> Events:
    """Events of one pixel of a 4 x 4 sensor."""
    count = len(times)
    columns = (np.array(times), np.full(count, x), np.full(count, y), np.full(count, p))
    return make_events("test", columns, (4, 4))


def options(**changes: object) -> FrameOptions:
    """Windows of 1 ms in two frames of 2 x 2 pixels."""
    plain = {"window_ms": 1.0, "frames": 2, "size": (2, 2), "hot_pixels": 0, "min_events": 1}
    return FrameOptions(**{**plain, **changes})  # type: ignore[arg-type]


def test_frames_of_equal_duration_count_events_by_polarity_and_scaled_place() -> None:
    (frames,) = frames_of_windows(events([0, 100, 499, 500, 1000], x=3, y=1, p=0), options())
    assert frames.shape == (2, 2, 2, 2) and frames.dtype == np.float32
    assert frames[:, 0, 0, 1].tolist() == [3, 1]
    assert frames.sum() == 4


def test_frames_of_equal_count_divide_a_windows_events() -> None:
    (frames,) = frames_of_windows(events([0, 1, 2, 900, 1000]), options(by="count"))
    assert frames[:, 1, 0, 0].tolist() == [2, 2]


def test_windows_join_or_overlap_by_their_stride_and_end_inside_the_recording() -> None:
    recording = events(list(range(0, 3000, 100)))
    assert len(list(frames_of_windows(recording, options()))) == 2
    assert len(list(frames_of_windows(recording, options(stride_ms=0.5)))) == 4


def test_windows_in_which_nothing_moves_are_left_out() -> None:
    recording = events([0, 1, 2, 1500, 2001])
    assert len(list(frames_of_windows(recording, options(min_events=2)))) == 1


def test_a_pixel_that_fires_without_cause_is_left_out() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 64, (2, 5000))
    hot = np.full(1000, 7)
    columns = (np.arange(6000), np.append(x, hot), np.append(y, hot), np.ones(6000))
    recording = make_events("test", columns, (64, 64))
    masked = mask_hot_pixels(recording, 3.0)
    assert not ((masked.x == 7) & (masked.y == 7)).any()
    assert len(masked.t) >= 4990
    assert mask_hot_pixels(recording, 0) is recording


def test_events_are_sorted_by_time_and_must_lie_on_the_sensor() -> None:
    columns = (np.array([5, 3]), np.array([0, 1]), np.array([0, 1]), np.array([1, -1]))
    found = make_events("test", columns)
    assert found.t.tolist() == [3, 5] and found.p.tolist() == [0, 1]
    with pytest.raises(DataError, match="outside a sensor of 1 x 1 pixels"):
        make_events("test", columns, (1, 1))
    with pytest.raises(DataError, match="differ in length"):
        make_events("test", (*columns[:3], np.ones(3)))


def test_a_counter_that_starts_anew_goes_on() -> None:
    assert unwrapped(np.array([250, 255, 3, 2, 250, 1]), 256).tolist() == [
        250, 255, 259, 258, 506, 513,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("window_ms", 0), ("stride_ms", -1), ("frames", 0), ("hot_pixels", 0.5), ("min_events", 0)],
)
def test_impossible_cuts_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        options(**{name: value})
