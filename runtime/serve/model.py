"""One served bundle: who is admitted, what is computed together, and by when."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import asdict, replace
from http import HTTPStatus
from typing import Any, NoReturn

from numpy.typing import NDArray

from runtime.bundle import Bundle, InputSpec, Manifest
from runtime.early_exit.settings import Overrides, Settings, resolve
from runtime.early_exit.submit import Batcher
from runtime.engine import Engine
from runtime.inputs.check import check_inputs
from runtime.results.result import Result
from runtime.serve.errors import RequestError
from runtime.serve.metrics import Metrics
from runtime.serve.options import KNOBS, ServeOptions
from runtime.serve.pace import measure_pace


class ServedModel:
    """A bundle that answers requests in batches.

    A batch is whatever waits when the engine becomes free: alone an image waits for nobody, and
    under load batches grow by themselves.

    Args:
        name: under which it is served.
        bundle: that it runs.
        options: of the server.
        metrics: of the worker.

    Raises:
        SpikehaltError: as `Engine`.
    """

    def __init__(self, name: str, bundle: Bundle, options: ServeOptions, metrics: Metrics) -> None:
        self.name, self.fingerprint = name, bundle.fingerprint
        self._options, self._metrics = options, metrics
        self._defaults = Overrides(**{each: options.engine.get(each) for each in KNOBS})
        self.engine = Engine(bundle, max_batch=options.max_batch, **options.engine)
        self._pace = measure_pace(self.engine, options.max_batch)
        self.engine.reset_stats()
        self._lock = threading.Lock()
        self._unanswered = 0  # images, those that run included
        self._running, self._running_until = 0, 0.0  # images that run, and until when
        self._batcher = Batcher(self._classify, options.max_batch, wait_ms=0.0)

    @property
    def version(self) -> str:
        """The bundle's, as the protocol knows it."""
        return self.fingerprint[:12]

    @property
    def manifest(self) -> Manifest:
        """Of the bundle."""
        return self.engine.manifest

    @property
    def spec(self) -> InputSpec:
        """What it takes."""
        return self.manifest.input

    def submit(
        self, data: NDArray[Any], asked: Overrides, deadline_s: float | None
    ) -> Future[Result]:
        """Queue the images of a request.

        Args:
            data: as the bundle takes them.
            asked: what the request says about how to run them.
            deadline_s: when the answer has to be there, by `time.perf_counter`; None: whenever.

        Raises:
            RequestError: there is no place in the queue, or no time.
            InputError, ConfigError: as for a call of the engine.
            EngineStateError: the model is closed.
        """
        images = check_inputs(self.spec, data)
        settings = resolve(self.manifest, asked.over(self._defaults))
        with self._lock:
            self._admit(len(images))
            settings = self._in_time(settings, len(images), deadline_s)
            future = self._batcher.submit(images, settings, pick=lambda result: result)
            self._count(len(images))
        future.add_done_callback(lambda _: self._answered(len(images)))
        return future

    def close(self) -> None:
        """Answer what was submitted, then free the engine."""
        self._batcher.close()
        self.engine.close()

    def _admit(self, images: int) -> None:
        most = self._options.queue + self._options.max_batch
        if images > most:
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a request of {images} images is more than the {most} that may wait: split it",
            )
        if self._unanswered + images > most:
            self._refuse("queue full", f"{self._unanswered} images are waiting already")

    def _in_time(self, settings: Settings, images: int, deadline_s: float | None) -> Settings:
        """The settings with so many timesteps that the answer comes in time."""
        if deadline_s is None:
            return settings
        max_batch, chunk = self._options.max_batch, self.manifest.chunk
        waiting = self._unanswered - self._running
        before, beside = divmod(waiting, max_batch)
        budget_s = deadline_s - time.perf_counter() - self._wait_s(before)
        together = min(beside + images, max_batch) if images < max_batch else images
        chunks = self._pace.chunks_within(budget_s, together, settings.max_timesteps // chunk)
        if chunks == 0:
            self._refuse("no time", f"{waiting} images wait, and this one would come too late")
        return replace(settings, max_timesteps=chunks * chunk)

    def _wait_s(self, full_batches: int) -> float:
        """Until what runs, and so many full batches behind it, are done."""
        rest_s = max(self._running_until - time.perf_counter(), 0.0) if self._running else 0.0
        full_s = self._pace.batch_s(self._options.max_batch, self._pace.chunks)
        return rest_s + full_batches * full_s

    def _refuse(self, reason: str, message: str) -> NoReturn:
        self._metrics.refused.labels(self.name, reason).inc()
        batches = 1 + self._unanswered // self._options.max_batch
        raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, message, self._wait_s(batches))

    def _count(self, change: int) -> None:
        self._unanswered += change
        self._metrics.waiting.labels(self.name).inc(change)

    def _answered(self, images: int) -> None:
        with self._lock:
            self._count(-images)

    def _classify(self, data: NDArray[Any], settings: Settings) -> Result:
        begin = time.perf_counter()
        with self._lock:
            self._running = len(data)
            self._running_until = begin + self._pace.batch_s(len(data), self._pace.chunks)
        try:
            result = self.engine(data, **asdict(settings))
        finally:
            with self._lock:
                self._running = 0
        self._pace.observe(result.timesteps // self.manifest.chunk, time.perf_counter() - begin)
        self._metrics.batch(self.name, result)
        return result
