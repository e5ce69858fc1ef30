"""Frames in, results out, in order: reading and preprocessing overlap with inference.

A reader thread takes frames from the source and preprocesses them into a bounded queue; the
consumer runs them. When the queue is full the reader waits (back-pressure), or, with
`drop="oldest"`, throws away the frame that has waited longest, so that results stay fresh.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from runtime.errors import InputError
from runtime.results.result import ImageResult, Result
from spikehalt.errors import ConfigError
from spikehalt.vocabulary import ChannelOrder

_WHY_NOT_OPEN = "a wrong path, a camera that another program uses, or one that was released"
Prepare = Callable[[Any], Any]
Classify = Callable[[list[Any]], Result]


@dataclass(frozen=True, kw_only=True, eq=False)
class Streamed:
    """The answer for one frame of a stream.

    Attributes:
        index: number of the frame in the source, from 0; gaps are dropped frames.
        result: the answer.
        dropped: frames thrown away so far.
        latency_ms: from the frame's arrival to its answer.
    """

    index: int
    result: ImageResult
    dropped: int
    latency_ms: float


@dataclass
class _Item:
    index: int
    arrived_s: float
    data: Any


class FrameQueue:
    """A bounded queue between one reader and one consumer.

    Args:
        size: frames it holds at most.
        drop_oldest: when full, throw away the oldest instead of waiting.
    """

    def __init__(self, size: int, drop_oldest: bool) -> None:
        self._size, self._drop_oldest = size, drop_oldest
        self._items: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._ended, self._stopped = False, False
        self._error: BaseException | None = None
        self.dropped = 0

    def put(self, item: _Item) -> bool:
        """Add a frame; False once the consumer has stopped."""
        with self._changed:
            while len(self._items) >= self._size and not self._stopped:
                if self._drop_oldest:
                    self._items.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait()
            if not self._stopped:
                self._items.append(item)
                self._changed.notify_all()
            return not self._stopped

    def end(self, error: BaseException | None = None) -> None:
        """No more frames will come, because of `error` if there is one."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def take(self, most: int) -> list[_Item]:
        """Wait for a frame, then take up to `most` that are there; empty at the end.

        Raises:
            BaseException: what the source raised, after all frames before it were taken.
        """
        with self._changed:
            while not self._items and not self._ended:
                self._changed.wait()
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self._changed.notify_all()
            if not taken and self._error is not None:
                raise self._error
            return taken

    def stop(self) -> None:
        """The consumer wants no more."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()


def run_stream(
    source: Any,
    classify: Classify,
    *,
    prepare: Prepare | None = None,
    batch: int = 1,
    queue: int = 4,
    drop: str | None = None,
) -> Iterator[Streamed]:
    """Classify the frames of a source as they come.

    Args:
        source: an iterable of arrays, or an opened OpenCV capture.
        classify: answers a list of frames.
        prepare: makes of one frame what the bundle takes; runs in the reader thread.
        batch: frames answered at once, if so many are waiting.
        queue: frames waiting at most.
        drop: None: the source waits; "oldest": the oldest waiting frame is thrown away.

    Yields:
        Answers in the order of the frames. Closing the generator stops the reader.

    Raises:
        ConfigError: `drop` is unknown, or a size below 1.
        Exception: whatever the source or `prepare` raises, after the answers before it.
    """
    if drop not in (None, "oldest"):
        raise ConfigError(f"drop must be None or 'oldest', not {drop!r}")
    if min(batch, queue) < 1:
        raise ConfigError(f"batch {batch} and queue {queue} must be at least 1")
    return _answers(source, classify, prepare, batch, FrameQueue(queue, drop == "oldest"))


def _answers(
    source: Any, classify: Classify, prepare: Prepare | None, batch: int, queue: FrameQueue
) -> Iterator[Streamed]:
    reader = threading.Thread(
        target=read_frames,
        args=(frames_of(source), prepare, queue),
        name="frame reader",
        daemon=True,
    )
    reader.start()
    try:
        while items := queue.take(batch):
            answers = classify([item.data for item in items])
            for item, answer in zip(items, answers, strict=True):
                latency_ms = 1e3 * (time.perf_counter() - item.arrived_s)
                yield Streamed(
                    index=item.index, result=answer, dropped=queue.dropped, latency_ms=latency_ms
                )
    finally:
        queue.stop()
        # A reader waiting for its camera cannot be interrupted; it ends with the next frame.
        reader.join(timeout=1.0)


def read_frames(frames: Iterable[Any], prepare: Prepare | None, queue: FrameQueue) -> None:
    """Put all frames into the queue, prepared; what the source raises goes to the consumer."""
    try:
        for index, frame in enumerate(frames):
            arrived_s = time.perf_counter()
            data = frame if prepare is None else prepare(frame)
            if not queue.put(_Item(index, arrived_s, data)):
                return
    except BaseException as error:  # handed over to the consumer
        queue.end(error)
    else:
        queue.end()


def frames_of(source: Any, channel_order: ChannelOrder = "rgb") -> Iterable[Any]:
    """The frames of an iterable as they are, or of an OpenCV capture, whose order is BGR.

    Args:
        source: the iterable or capture.
        channel_order: what a capture's frames are brought to.

    Raises:
        ConfigError: neither of them.
        InputError: a capture that is not open, or the name of a file. Later, while the frames are
            taken: a capture or an iterator that has none, a capture that is closed meanwhile.
    """
    if isinstance(source, str | bytes | os.PathLike):
        raise InputError(_no_source(os.fsdecode(source)))
    if callable(getattr(source, "read", None)) and hasattr(source, "isOpened"):
        if not source.isOpened():
            raise InputError(f"the capture is not open: {_WHY_NOT_OPEN}")
        return _at_least_one(
            _capture_frames(source, channel_order), "the capture is open and gives no frame"
        )
    if isinstance(source, Iterator):
        return _at_least_one(
            source,
            "the source ended before its first frame: what lists a folder or reads a file that "
            "is not there gives nothing",
        )
    if isinstance(source, Iterable):
        return source
    raise ConfigError(
        f"cannot read frames from {type(source).__name__}: pass an iterable of arrays or an "
        "OpenCV capture"
    )


def _no_source(path: str) -> str:
    if not os.path.exists(path):
        return f"{path} does not exist"
    return f"{path} is the name of a file: pass what reads its frames, as cv2.VideoCapture(...)"


def _at_least_one(frames: Iterator[Any], problem: str) -> Iterator[Any]:
    """The frames; a source that cannot be read is not an empty one."""
    empty = True
    for frame in frames:
        empty = False
        yield frame
    if empty:
        raise InputError(problem)


def _capture_frames(capture: Any, channel_order: ChannelOrder) -> Iterator[Any]:
    while True:
        good, frame = capture.read()
        if not good and not capture.isOpened():
            raise InputError(f"the capture was closed while it was read: {_WHY_NOT_OPEN}")
        if not good or frame is None:
            return
        turns = channel_order == "rgb" and frame.ndim == 3 and frame.shape[-1] == 3
        yield frame[..., ::-1] if turns else frame
