"""Ctrl-C during training: finish the step, leave a resumable checkpoint, then stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Interrupt:
    """Context in which SIGINT and SIGTERM only set a flag that the loop looks at between steps.

    Outside the main thread, where Python allows no signal handlers, `requested` is set by hand.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
