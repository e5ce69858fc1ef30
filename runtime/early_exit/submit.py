"""Dynamic batching: callers on many threads submit images, one worker answers them together."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from runtime.backends.base import CLOSED
from runtime.early_exit.settings import Settings
from runtime.errors import EngineStateError
from runtime.results.result import Result

Classify = Callable[[NDArray[Any], Settings], Result]
Answer = TypeVar("Answer")
MAX_WAITING = 1024
MAX_WAIT_MS = 60_000.0  # longer, nobody waits for company


@dataclass
class _Request:
    data: NDArray[Any]
    settings: Settings
    pick: Callable[[Result], Any]
    future: Future[Any]
    holds_slot: bool


class Batcher:
    """Collects requests into batches and answers them on its own thread.

    Args:
        classify: answers [B, …] inputs under given settings.
        max_batch: a batch of so many images, or more, waits for no further ones.
        wait_ms: how long a batch waits for company after its first image.
    """

    def __init__(self, classify: Classify, max_batch: int, wait_ms: float) -> None:
        self._classify, self._max_batch, self._wait_s = classify, max_batch, wait_ms / 1e3
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._slots = threading.Semaphore(MAX_WAITING)
        self._lock, self._closed = threading.Lock(), False
        self._worker = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._worker.start()

    def submit(
        self, data: NDArray[Any], settings: Settings, pick: Callable[[Result], Answer]
    ) -> Future[Answer]:
        """Queue checked inputs [n, …]; waits while `MAX_WAITING` requests are queued.

        Args:
            data: n images or event frames, which stay together.
            settings: how to run them.
            pick: makes the answer out of their results.

        A future's callback runs on the batcher's own thread. What it submits does not wait: no
        other thread would make room.

        Raises:
            EngineStateError: the batcher is closed.
        """
        waits = threading.current_thread() is not self._worker
        if waits:
            self._slots.acquire()
        request = _Request(data, settings, pick, Future(), holds_slot=waits)
        with self._lock:  # nothing may come in behind the end mark
            closed = self._closed
            if not closed:
                self._requests.put(request)
        if closed:
            self._free(request)
            raise EngineStateError(CLOSED)
        return request.future

    def close(self) -> None:
        """Answer what was submitted, then stop."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._requests.put(None)
        if threading.current_thread() is not self._worker:
            self._worker.join()

    def _free(self, request: _Request) -> None:
        if request.holds_slot:
            self._slots.release()

    def _work(self) -> None:
        going_on, batch = True, list[_Request]()
        try:
            while going_on:
                batch, going_on = self._collect()
                for settings in dict.fromkeys(request.settings for request in batch):
                    self._answer([each for each in batch if each.settings == settings], settings)
        except BaseException as error:  # nobody would answer any more
            self._fail(batch, error)
            raise

    def _fail(self, batch: list[_Request], error: BaseException) -> None:
        """Tell everyone who waits, and take no more."""
        with self._lock:
            self._closed = True
            self._requests.put(None)
        while (request := self._requests.get()) is not None:
            self._free(request)
            batch.append(request)
        for each in batch:
            if not each.future.done():
                each.future.set_exception(error)

    def _collect(self) -> tuple[list[_Request], bool]:
        """The next batch, and False if it is the last."""
        first = self._requests.get()
        if first is None:
            return [], False
        self._free(first)
        batch, deadline = [first], time.perf_counter() + self._wait_s
        while sum(len(each.data) for each in batch) < self._max_batch:
            try:
                wait_s = deadline - time.perf_counter()
                request = self._requests.get(block=wait_s > 0, timeout=max(wait_s, 0) or None)
            except queue.Empty:
                break
            if request is None:
                return batch, False
            self._free(request)
            batch.append(request)
        return batch, True

    def _answer(self, batch: list[_Request], settings: Settings) -> None:
        running = [each for each in batch if each.future.set_running_or_notify_cancel()]
        if not running:
            return
        try:
            result = self._classify(np.concatenate([each.data for each in running]), settings)
            answers = [
                each.pick(part) for each, part in zip(running, _parts(result, running), strict=True)
            ]
        except BaseException as error:  # every caller learns of it; the worker lives on
            for each in running:
                each.future.set_exception(error)
            return
        for each, answer in zip(running, answers, strict=True):
            each.future.set_result(answer)


def _parts(result: Result, requests: list[_Request]) -> Iterator[Result]:
    """The results of every request."""
    stop = 0
    for each in requests:
        start, stop = stop, stop + len(each.data)
        yield result.part(start, stop)
