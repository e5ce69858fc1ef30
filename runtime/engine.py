"""The engine: a bundle, a backend and exit policies behind one call."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.backends import registry
from runtime.backends.base import CLOSED, BackendInfo, Session, SessionOptions
from runtime.bundle import Bundle, Key, Manifest, PathLike
from runtime.early_exit.control import ControlState, make_controller
from runtime.early_exit.loop import Job, run_batch
from runtime.early_exit.record import record
from runtime.early_exit.settings import (
    Overrides,
    Settings,
    calibration_notice,
    not_negative,
    resolve,
)
from runtime.early_exit.stream import Prepare, Streamed, frames_of, run_stream
from runtime.early_exit.submit import MAX_WAIT_MS, Batcher
from runtime.early_exit.windows import ArrivingFrames, Begins, run_windows
from runtime.errors import EngineStateError, InputError
from runtime.inputs.check import check_frame, check_inputs, fit_frame
from runtime.opening import (
    bounded_threads,
    check_options,
    check_positive,
    check_sensor,
    choose_sensor,
    open_session,
    open_source,
)
from runtime.results.result import ImageResult, Result, concatenate
from runtime.results.stats import Stats, StatsKeeper
from runtime.results.trajectory import Trajectory
from runtime.sensors import EnergyMeter, EnergySensor
from spikehalt.errors import ConfigError
from spikehalt.exits import NEVER

logger = logging.getLogger(__name__)


class Engine:
    """Runs a bundle with early exit.

        with Engine("ckpt.bundle") as engine:
            result = engine(images)              # uint8 [B, H, W, C]
            print(result.names, result.timesteps)

    An engine may be called from several threads at once; it does not survive a fork.

    Args:
        bundle: path of a bundle, an opened `Bundle`, or a `Manifest` together with a `Session`.
        backend: "auto", a name of `runtime.backends.registry.names()`, or a loaded `Session`.
        policy: a name in `spikehalt.exits.POLICIES`; None: as the bundle says.
        threshold: of the policy; None: the bundle's calibrated one.
        epsilon: in [0, 1), larger halts tokens earlier; None: as the bundle says.
        max_timesteps: stop there at the latest; a multiple of the bundle's chunk.
        latency_ms: instead of a policy: steer threshold and ε, within what was calibrated, so
            that nine calls in ten take at most this long.
        energy_mj: instead of a policy: steer them so that an image takes this energy on average
            (estimated).
        max_batch: larger batches are split; bounds memory.
        threads: threads for one operator; None lets the backend choose.
        spin: whether threads spin while a graph runs (fast) or sleep (saves energy).
        device: what the backend computes on, None for its default.
        native_ops: whether ONNX Runtime gets this project's native ops for processors, which
            `python -m plugins build` makes: True: it must; None: where they have been built.
        public_key: refuse bundles that this Ed25519 key did not sign: 32 bytes, or the path of
            a PEM file.
        min_release: refuse older releases that this key signed too.
        submit_wait_ms: how long a submitted image waits for others to share a batch with.
        energy_sensor: "auto", a name of `runtime.sensors.sensor_names()`, or a sensor; None
            measures no energy.

    Raises:
        BundleError: the bundle cannot be used.
        ConfigError: an option is unknown or out of range.
        BackendError: the backend cannot run it here.
    """

    def __init__(
        self,
        bundle: PathLike | Bundle | Manifest,
        *,
        backend: str | Session = registry.AUTO,
        policy: str | None = None,
        threshold: float | None = None,
        epsilon: float | None = None,
        max_timesteps: int | None = None,
        latency_ms: float | None = None,
        energy_mj: float | None = None,
        max_batch: int = 64,
        threads: int | None = None,
        spin: bool = True,
        device: str | None = None,
        native_ops: bool | None = None,
        public_key: Key | None = None,
        min_release: int | None = None,
        submit_wait_ms: float = 2.0,
        energy_sensor: str | EnergySensor | None = None,
    ) -> None:
        self._session: Session | None = None
        self._pid = os.getpid()
        self._max_batch = check_positive("max_batch", max_batch)
        if threads is not None:
            threads = bounded_threads(threads)
        check_options(device, spin, native_ops)
        check_sensor(energy_sensor)  # before anything is loaded that would have to be closed
        self._submit_wait_ms = not_negative("submit_wait_ms", submit_wait_ms, MAX_WAIT_MS)
        self._batcher: Batcher | None = None
        self._lock, self._closing = threading.Lock(), False
        source = open_source(bundle, public_key, min_release)
        self.manifest = source.manifest if isinstance(source, Bundle) else source
        self._overrides = Overrides(
            policy=policy, threshold=threshold, epsilon=epsilon, max_timesteps=max_timesteps
        )
        self._controller = make_controller(self.manifest, latency_ms, energy_mj, self._overrides)
        self._settings = resolve(self.manifest, self._overrides)
        options = SessionOptions(threads=threads, spin=spin, device=device, native_ops=native_ops)
        self._session = open_session(backend, source, options)
        self._info = self._session.info
        self._max_batch = min(self._max_batch, self._info.max_batch or self._max_batch)
        self._meter = EnergyMeter(choose_sensor(energy_sensor, self._info.device))
        self._stats = StatsKeeper(self._meter)
        self.notice = calibration_notice(self.manifest, self._overrides)
        if self.notice:
            logger.warning(self.notice)

    @property
    def info(self) -> BackendInfo:
        """Which backend runs, and why it was chosen."""
        return self._info

    @property
    def settings(self) -> Settings:
        """What a call without arguments runs with (now, if a target steers it)."""
        return self._settings if self._controller is None else self._controller.settings

    @property
    def control(self) -> ControlState | None:
        """Where the steering towards `latency_ms` or `energy_mj` stands; None without a target."""
        return None if self._controller is None else self._controller.state

    def __call__(
        self,
        images: Any,
        *,
        policy: str | None = None,
        threshold: float | None = None,
        epsilon: float | None = None,
        max_timesteps: int | None = None,
        live_masks: bool = False,
    ) -> Result:
        """Classify images; images leave the batch one by one as the policy says.

        Args:
            images: uint8 [B, H, W, C] or one [H, W, C]; for event bundles float frames
                [B, T, C, H, W] or one [T, C, H, W].
            policy: for this call only, like the others below; None: as the engine says.
            threshold: of the policy.
            epsilon: in [0, 1).
            max_timesteps: a multiple of the bundle's chunk.
            live_masks: also return which token ran where, if the bundle was exported with them.

        Returns:
            The answers, in the order of the images; of length 1 for one image.

        Raises:
            InputError: the images do not fit the bundle.
            ConfigError: an option is unknown or out of range.
            BackendError: the backend failed; the engine can be called again.
            EngineStateError: the engine is closed, or was made in another process.
        """
        session = self._usable_session()
        asked = Overrides(
            policy=policy, threshold=threshold, epsilon=epsilon, max_timesteps=max_timesteps
        )
        self._check_masks(live_masks)
        job = Job(session, self.manifest, self._resolve(asked), live_masks)
        return self._run(job, lambda: check_inputs(self.manifest.input, images))

    def stream(
        self,
        source: Any,
        *,
        prepare: Prepare | None = None,
        batch: int = 1,
        queue: int = 4,
        drop: str | None = None,
        **overrides: Any,
    ) -> Iterator[Streamed]:
        """Classify the frames of a source as they come; reading overlaps with inference.

            for streamed in engine.stream(cv2.VideoCapture(0), drop="oldest"):
                print(streamed.index, streamed.result.name, streamed.latency_ms)

        Args:
            source: an iterable of arrays, or an opened OpenCV capture, whose colours are brought to
                the bundle's order. Images of another size are fitted as files are (needs pillow).
            prepare: makes of one frame what the bundle takes; runs in the reader thread. None
                resizes images and passes event frames on.
            batch: frames answered at once, if so many are waiting.
            queue: frames waiting at most.
            drop: None: the source waits; "oldest": the oldest waiting frame is thrown away.
            **overrides: policy, threshold, epsilon, max_timesteps, as for a call.

        Yields:
            Answers in the order of the frames; closing the generator stops the reader.

        Raises:
            InputError, ConfigError, BackendError, EngineStateError: as for a call.
        """
        self._usable_session()
        self._resolve(Overrides(**overrides))
        check_positive("batch", batch)
        check_positive("queue", queue)
        if prepare is not None and not callable(prepare):
            raise ConfigError(f"prepare must be a function, not {type(prepare).__name__}")
        spec = self.manifest.input

        def classify(frames: list[Any]) -> Result:
            return self(np.stack(frames), **overrides)

        def ready(frame: Any) -> Any:
            fitted = fit_frame(frame, spec) if prepare is None else prepare(frame)
            return check_inputs(spec, fitted)[0]

        frames = frames_of(source, spec.preprocessing.channel_order)
        return run_stream(frames, classify, prepare=ready, batch=batch, queue=queue, drop=drop)

    def stream_frames(
        self,
        source: Any,
        *,
        begins: Begins | None = None,
        queue: int = 64,
        **overrides: Any,
    ) -> Iterator[Streamed]:
        """Classify single frames of an event camera as they come, each window as soon as it can be.

        A timestep runs when its frame is there, and a window ends with the frame after which the
        policy answers: the answer is that of a call with all T frames, without waiting for them.

            for streamed in engine.stream_frames(frames):
                print(streamed.result.name, streamed.result.timesteps, streamed.latency_ms)

        Args:
            source: an iterable of frames [C, H, W], events counted per polarity and pixel.
            begins: whether a window begins with a frame [C, H, W]; None: where it has any event.
            queue: frames waiting at most; the source waits while they are so many.
            **overrides: policy, threshold, epsilon, max_timesteps, as for a call.

        Yields:
            For every window the number of its first frame, the answer, how many frames so far
            belong to no window (`dropped`), and the time from the first frame's arrival to the
            answer. A window in which the source ends has no answer.

        Raises:
            ConfigError: the bundle takes images; or as for a call.
            InputError, BackendError, EngineStateError: as for a call.
        """
        self._usable_session()
        settings = self._resolve(Overrides(**overrides))
        check_positive("queue", queue)
        spec = self.manifest.input
        if spec.kind != "frames":
            raise ConfigError(
                f"{self.manifest.name} takes whole images, not event frames: call engine.stream"
            )

        def classify(window: ArrivingFrames) -> Result:
            job = Job(self._usable_session(), self.manifest, settings)
            return self._counted(job, lambda: run_batch(job, window), waits=True)

        def ready(frame: Any) -> Any:
            return check_frame(spec, frame)

        return run_windows(source, classify, prepare=ready, begins=begins, queue=queue)

    def submit(self, image: Any, **overrides: Any) -> Future[ImageResult]:
        """Queue one image; images submitted about the same time are answered in one batch.

        Args:
            image: one image, or one sample of event frames.
            **overrides: policy, threshold, epsilon, max_timesteps, as for a call.

        Returns:
            A future of the answer.

        Raises:
            InputError, ConfigError, EngineStateError: as for a call, at once.
        """
        self._usable_session()
        settings = self._resolve(Overrides(**overrides))
        data = check_inputs(self.manifest.input, image)
        if len(data) != 1:
            raise InputError(f"submit takes one image, not {len(data)}: call engine(images)")
        return self._open_batcher().submit(data, settings, pick=lambda result: result[0])

    def record(self, images: Any, *, epsilon: float | None = None) -> Trajectory:
        """Run all timesteps and keep the outputs of every exit point.

        Args:
            images: as for a call.
            epsilon: in [0, 1); None: as the engine says.

        Raises:
            InputError, ConfigError, BackendError, EngineStateError: as for a call.
        """
        session = self._usable_session()
        settings = self._resolve(Overrides(policy=NEVER.name, epsilon=epsilon))
        data: NDArray[Any] = check_inputs(self.manifest.input, images)
        return record(Job(session, self.manifest, settings), self._parts(data))

    @property
    def stats(self) -> Stats:
        """Throughput, latency, where time goes, tokens, energy; since the engine was made."""
        return self._stats.snapshot()

    def reset_stats(self) -> None:
        """Forget the figures so far, for example after warming up."""
        self._stats.reset()

    def close(self) -> None:
        """Answer what was submitted, then free the backend; calling it twice does nothing."""
        if os.getpid() != self._pid:  # threads and sessions stayed in the other process
            self._session = None
            return
        with self._lock:
            self._closing = True
        if self._batcher is not None:
            self._batcher.close()
        session, self._session = self._session, None
        if session is not None:
            session.close()
            self._meter.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        raise EngineStateError(
            f"an engine does not leave process {self._pid}, in which it was made: make one in "
            "every process"
        )

    def __repr__(self) -> str:
        state = "closed" if self._session is None else f"on {self._info.name}"
        settings = self.settings
        text = f"<Engine {self.manifest.name}, {state}, policy {settings.policy!r}"
        if settings.threshold is not None:
            text += f" at {settings.threshold:g}"
        return f"{text}; {self.notice}>" if self.notice else f"{text}>"

    def _open_batcher(self) -> Batcher:
        with self._lock:
            if self._closing:
                raise EngineStateError(CLOSED)
            if self._batcher is None:
                self._batcher = Batcher(self._classify, self._max_batch, self._submit_wait_ms)
            return self._batcher

    def _resolve(self, asked: Overrides) -> Settings:
        if asked == Overrides():
            return self.settings
        return resolve(self.manifest, asked.over(self._overrides))

    def _classify(self, data: NDArray[Any], settings: Settings) -> Result:
        """Answer a checked batch."""
        job = Job(self._usable_session(), self.manifest, settings)
        return self._run(job, lambda: data)

    def _run(self, job: Job, load: Callable[[], NDArray[Any]]) -> Result:
        def answer() -> Result:
            begin = time.perf_counter()
            data = load()
            job.timings.pre_s = time.perf_counter() - begin
            return concatenate([run_batch(job, part) for part in self._parts(data)])

        return self._counted(job, answer)

    def _counted(self, job: Job, answer: Callable[[], Result], waits: bool = False) -> Result:
        """The answer, counted in the statistics: all of its time, or if it `waits` the graphs'."""
        begin = time.perf_counter()
        self._stats.begin()
        try:
            result = answer()
            job.timings.total_s = job.timings.graph_s if waits else time.perf_counter() - begin
            self._stats.add(job.timings, result)
            if self._controller is not None and self._controller.owns(job.settings):
                self._controller.observe(1e3 * job.timings.total_s, result)
        finally:
            self._stats.end()
        return result

    def _parts(self, data: NDArray[Any]) -> list[NDArray[Any]]:
        size = self._max_batch
        return [data[at : at + size] for at in range(0, len(data), size)]

    def _usable_session(self) -> Session:
        if os.getpid() != self._pid:
            raise EngineStateError(
                f"this engine was made in process {self._pid} and does not survive a fork: make "
                "one in every process"
            )
        if self._session is None:
            raise EngineStateError(CLOSED)
        return self._session

    def _check_masks(self, wanted: bool) -> None:
        if wanted and not self.manifest.live_masks:
            raise ConfigError(
                f"{self.manifest.name} was exported without live masks: export it again, "
                "spikehalt export CHECKPOINT --live-masks"
            )
