"""Frames of an event camera as they come: a window begins, and ends with the frame that decides it.

Timestep t of a network for event frames sees frames 1..t alone. So the loop over timesteps need not
wait for a whole sample: it takes each chunk's frames when they have come, and the policy answers
after as few as it needs. The frame after that may begin the next window.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.early_exit.stream import FrameQueue, Prepare, Streamed, frames_of, read_frames
from runtime.errors import InputError
from runtime.results.result import Result

Begins = Callable[[NDArray[np.float32]], bool]


class WindowEndedError(InputError):
    """The source ended within a window."""


class ArrivingFrames:
    """One window's frames [1, T, C, H, W], of which those asked for are waited for.

    Args:
        first: the frame that began it, float32 [C, H, W].
        queue: where the others come from.
    """

    def __init__(self, first: NDArray[np.float32], queue: FrameQueue) -> None:
        self._frames, self._queue = [first], queue

    def __len__(self) -> int:
        return 1

    def __getitem__(self, at: tuple[NDArray[np.int64], slice]) -> NDArray[np.float32]:
        """Frames [B', chunk, C, H, W] of the images and timesteps `at`.

        Raises:
            WindowEndedError: there are no more.
        """
        images, timesteps = at
        while len(self._frames) < timesteps.stop:
            taken = self._queue.take(1)
            if not taken:
                raise WindowEndedError
            self._frames.append(taken[0].data)
        return np.stack(self._frames[timesteps])[None][images]


def run_windows(
    source: Any,
    classify: Callable[[ArrivingFrames], Result],
    *,
    prepare: Prepare,
    begins: Begins | None,
    queue: int,
) -> Iterator[Streamed]:
    """Answer window after window; see `Engine.stream_frames`.

    Args:
        source: iterable of frames.
        classify: runs the loop over timesteps of one window.
        prepare: checks one frame; runs in the reader thread.
        begins: whether a window begins with a frame; None: where it holds any event.
        queue: frames waiting at most.
    """
    return _answers(
        frames_of(source), classify, prepare, begins or np.any, FrameQueue(queue, False)
    )


def _answers(
    frames: Any,
    classify: Callable[[ArrivingFrames], Result],
    prepare: Prepare,
    begins: Callable[[NDArray[np.float32]], Any],
    queue: FrameQueue,
) -> Iterator[Streamed]:
    reader = threading.Thread(
        target=read_frames, args=(frames, prepare, queue), name="frame reader", daemon=True
    )
    reader.start()
    passed = 0
    try:
        while items := queue.take(1):
            first = items[0]
            if not begins(first.data):
                passed += 1
                continue
            result = classify(ArrivingFrames(first.data, queue))
            latency_ms = 1e3 * (time.perf_counter() - first.arrived_s)
            yield Streamed(
                index=first.index, result=result[0], dropped=passed, latency_ms=latency_ms
            )
    except WindowEndedError:
        return
    finally:
        queue.stop()
        reader.join(timeout=1.0)
