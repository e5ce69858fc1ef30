from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine, ImageResult
from runtime.backends.registry import ChunkOutputs
from runtime.bundle.read import Bundle
from runtime.early_exit.submit import Batcher
from runtime.errors import BackendError, EngineStateError, InputError
from runtime.testing import ReplaySession
from spikehalt.errors import ConfigError

Images = NDArray[np.uint8]
EXIT: dict[str, Any] = {"policy": "halting", "threshold": 1.5}


class Gate:
    """A session that waits until it is opened; fails once if told to."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.info = inner, inner.info
        self.open, self.entered, self.fail = threading.Event(), threading.Event(), False

    def run(self, inputs: Any, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        self.entered.set()
        assert self.open.wait(10)
        if self.fail:
            self.fail = False
            raise BackendError("the device fell off the bus")
        step: ChunkOutputs = self.inner.run(inputs, states, last=last, masks=masks)
        return step

    def close(self) -> None:
        self.inner.close()


@pytest.fixture
def gate(bundle: Bundle, images: Images) -> Gate:
    with Engine(bundle) as engine:
        return Gate(ReplaySession(bundle.manifest, engine.record(images)))


def test_a_future_gives_what_a_call_gives(bundle: Bundle, images: Images) -> None:
    with Engine(bundle, **EXIT) as engine:
        expected = engine(images)
        futures = [engine.submit(image) for image in images]
        answers = [future.result(10) for future in futures]

    assert [each.label for each in answers] == expected.labels.tolist()
    assert [each.timesteps for each in answers] == expected.timesteps.tolist()
    np.testing.assert_allclose(
        [each.probabilities for each in answers], expected.probabilities, rtol=1e-5
    )


def test_callers_on_many_threads_share_batches(bundle: Bundle, images: Images) -> None:
    answers: dict[int, ImageResult] = {}
    with Engine(bundle, submit_wait_ms=20.0, **EXIT) as engine:
        expected = engine(images)
        engine.reset_stats()

        def call(number: int) -> None:
            answers[number] = engine.submit(images[number % 12]).result(10)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stats = engine.stats

    assert [answers[n].label for n in range(24)] == [expected.labels[n % 12] for n in range(24)]
    assert stats.images == 24 and stats.calls < 24


def test_batches_have_one_setting_and_at_most_max_batch(
    bundle: Bundle, images: Images, gate: Gate
) -> None:
    sizes: list[int] = []
    run = gate.inner.run

    def counted(inputs: Any, states: Any, **options: Any) -> Any:
        if states is None:
            sizes.append(len(inputs["image"]))
        return run(inputs, states, **options)

    gate.inner.run = counted
    with Engine(bundle.manifest, backend=gate, policy="never", max_batch=4) as engine:
        first = engine.submit(images[0])
        assert gate.entered.wait(10)
        rest = [engine.submit(image, max_timesteps=1 + n % 2) for n, image in enumerate(images[:8])]
        gate.open.set()
        timesteps = [future.result(10).timesteps for future in [first, *rest]]

    assert timesteps == [4] + [1, 2] * 4
    assert sizes == [1, 2, 2, 2, 2]


def test_a_failure_reaches_every_caller_and_the_next_batch_works(
    bundle: Bundle, images: Images, gate: Gate
) -> None:
    with Engine(bundle.manifest, backend=gate, policy="never") as engine:
        first = engine.submit(images[0])
        assert gate.entered.wait(10)
        gate.fail = True
        gate.open.set()
        with pytest.raises(BackendError, match="fell off"):
            first.result(10)
        assert engine.submit(images[1]).result(10).timesteps == 4


def test_a_cancelled_request_is_not_run(bundle: Bundle, images: Images, gate: Gate) -> None:
    with Engine(bundle.manifest, backend=gate, policy="never") as engine:
        first = engine.submit(images[0])
        assert gate.entered.wait(10)
        second = engine.submit(images[1])
        assert second.cancel()
        gate.open.set()
        first.result(10)
    assert engine.stats.images == 1


def test_closing_answers_what_was_submitted(bundle: Bundle, images: Images) -> None:
    futures: list[Future[ImageResult]] = []
    with Engine(bundle, **EXIT) as engine:
        futures += [engine.submit(image) for image in images]

    assert not wait(futures, timeout=0).not_done
    with pytest.raises(EngineStateError, match="closed"):
        engine.submit(images[0])


def test_bad_requests_are_refused_at_once(bundle: Bundle, images: Images) -> None:
    with Engine(bundle, **EXIT) as engine:
        with pytest.raises(InputError, match="uint8"):
            engine.submit(images[0].astype(float))
        with pytest.raises(InputError, match="takes one image, not 12"):
            engine.submit(images)
        with pytest.raises(ConfigError, match="unknown exit policy"):
            engine.submit(images[0], policy="x")


def test_a_negative_wait_is_refused(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="must not be negative"):
        Engine(bundle, submit_wait_ms=-1.0)


def test_a_callback_may_submit_although_the_queue_is_full(
    bundle: Bundle, images: Images, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callbacks run on the batcher's thread, which alone makes room in the queue."""
    monkeypatch.setattr("runtime.early_exit.submit.MAX_WAITING", 1)
    again: list[Future[ImageResult]] = []
    with Engine(bundle, backend=gate, **EXIT) as engine:
        first = engine.submit(images[0])
        first.add_done_callback(lambda done: again.append(engine.submit(images[0])))
        assert gate.entered.wait(10)
        others = [
            threading.Thread(target=engine.submit, args=(images[0],), daemon=True)
            for _ in range(3)  # one fills the queue, the others wait for room
        ]
        for each in others:
            each.start()
        gate.open.set()
        assert first.result(10).timesteps >= 1
        for each in others:
            each.join(10)
            assert not each.is_alive()
        assert again[0].result(10).timesteps >= 1


def test_a_worker_that_ends_fails_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Batcher) -> None:
        raise OverflowError("timestamp too large")

    monkeypatch.setattr(Batcher, "_collect", broken)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    batcher = Batcher(lambda data, settings: None, 4, 1.0)  # type: ignore[arg-type, return-value]
    batcher._worker.join()

    with pytest.raises(EngineStateError):
        batcher.submit(np.zeros(1), None, lambda result: result)  # type: ignore[arg-type]
