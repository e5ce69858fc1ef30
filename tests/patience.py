"""What does not come to an end fails."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

import pytest


@contextlib.contextmanager
def ends_within(seconds: int) -> Iterator[None]:
    """Fail the test if the block takes longer; without effect where there is no SIGALRM."""

    def give_up(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"no end after {seconds} s")

    if not hasattr(signal, "SIGALRM"):  # Windows
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
