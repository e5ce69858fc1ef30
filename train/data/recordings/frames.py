"""Events to frames: windows of a recording, each counted into T frames of both polarities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from train.config.frames import FrameOptions
from train.data.recordings.events import Events, mask_hot_pixels


def frames_of_windows(events: Events, options: FrameOptions) -> Iterator[np.ndarray]:
    """Counts float32 [T, 2, H, W] of each window that holds enough events, in the order of time.

    The last window is the last that lies within the recording.
    """
    events = mask_hot_pixels(events, options.hot_pixels)
    length_us = round(1000 * options.window_ms)
    stride_us = round(1000 * options.stride_ms) or length_us
    begin, end = int(events.t[0]), int(events.t[-1]) - length_us + 2
    while begin < end:
        first, last = np.searchsorted(events.t, [begin, begin + length_us])
        if last == first:  # a pause, however long: on to the first window that has the next event
            missed = int(events.t[first]) - begin - length_us
            begin += stride_us * (missed // stride_us + 1)
            continue
        if last - first >= options.min_events:
            inside = events.take(slice(first, last))
            yield count_frames(inside, frame_numbers(inside.t, begin, length_us, options), options)
        begin += stride_us


def frame_numbers(
    t: np.ndarray, begin_us: int, length_us: int, options: FrameOptions
) -> np.ndarray:
    """The frame 0..T-1 of each event of a window, int64 [N].

    Args:
        t: times in µs, never falling.
        begin_us: where the window begins.
        length_us: how long it lasts.
        options: how many frames, by time or by count.
    """
    if options.by == "count":
        return np.arange(len(t)) * options.frames // len(t)
    return (t - begin_us) * options.frames // length_us


def count_frames(events: Events, frame: np.ndarray, options: FrameOptions) -> np.ndarray:
    """Events per frame, polarity (darker, brighter) and pixel, float32 [T, 2, H, W]."""
    height, width = options.size
    row, column = events.y * height // events.height, events.x * width // events.width
    place = ((frame * 2 + events.p) * height + row) * width + column
    shape = (options.frames, 2, height, width)
    return np.bincount(place, minlength=int(np.prod(shape))).reshape(shape).astype(np.float32)
