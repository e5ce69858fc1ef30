from __future__ import annotations

import logging
from collections.abc import Hashable

import pytest

from runtime.backends.cuda.graphs import MOST_GRAPHS, GraphCache
from runtime.errors import BackendError, DeviceError, OutOfMemoryError
from tests.fakes.cuda import FakeCuda


class Work:
    """Puts one operation on the stream; counts how often that happened and how often it ran."""

    def __init__(self, cuda: FakeCuda, stream: int) -> None:
        self.cuda, self.stream = cuda, stream
        self.enqueued, self.ran = 0, 0
        self.contexts: list[str] = []
        self.made = 0

    def __call__(self, context: str) -> None:
        self.enqueued += 1
        self.contexts.append(context)
        self.cuda.enqueue(self.stream, self.step)

    def make_context(self) -> str:
        self.made += 1
        return f"own {self.made}"

    def step(self) -> None:
        self.ran += 1


def run(cache: GraphCache, key: Hashable, work: Work) -> None:
    cache.run(key, work, "shared", work.make_context)


@pytest.fixture
def cuda() -> FakeCuda:
    fake = FakeCuda()
    fake.make_current()
    return fake


def test_the_third_launch_is_captured_and_later_ones_replayed(cuda: FakeCuda) -> None:
    stream = cuda.create_stream()
    cache, work = GraphCache(cuda, stream, enabled=True), Work(cuda, stream)
    for _ in range(5):
        run(cache, "key", work)
        cuda.synchronize(stream)
    assert (work.enqueued, work.ran, len(cuda.launched)) == (3, 5, 3)
    assert work.contexts == ["shared", "own 1", "own 1"]
    assert len(set(cuda.launched)) == 1
    cache.close()
    assert not cuda.graphs


def test_other_keys_have_other_graphs(cuda: FakeCuda) -> None:
    stream = cuda.create_stream()
    cache = GraphCache(cuda, stream, enabled=True)
    works = {key: Work(cuda, stream) for key in ("a", "b")}
    for _ in range(4):
        for key, work in works.items():
            run(cache, key, work)
            cuda.synchronize(stream)
    assert [work.ran for work in works.values()] == [4, 4]
    assert all(work.made == 1 for work in works.values()), "contexts are not shared"
    assert len(set(cuda.launched)) == 2


def test_without_graphs_every_launch_runs_as_it_is(cuda: FakeCuda) -> None:
    stream = cuda.create_stream()
    cache, work = GraphCache(cuda, stream, enabled=False), Work(cuda, stream)
    for _ in range(3):
        run(cache, "key", work)
    assert work.enqueued == 3 and not cuda.launched


def test_rare_keys_lose_their_graphs(cuda: FakeCuda) -> None:
    stream = cuda.create_stream()
    cache, work = GraphCache(cuda, stream, enabled=True), Work(cuda, stream)
    for key in range(MOST_GRAPHS + 10):
        for _ in range(3):
            run(cache, key, work)
        cuda.synchronize(stream)
    assert len(cuda.graphs) == MOST_GRAPHS


def test_what_cannot_be_captured_runs_without_graphs_from_then_on(
    cuda: FakeCuda, caplog: pytest.LogCaptureFixture
) -> None:
    stream = cuda.create_stream()
    cache, work = GraphCache(cuda, stream, enabled=True), Work(cuda, stream)
    cuda.can_capture = False
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            run(cache, "key", work)
            cuda.synchronize(stream)
    assert work.ran == 4
    assert [r.getMessage()[:27] for r in caplog.records] == ["running without CUDA graphs"]


def test_a_launch_that_fails_while_captured_is_tried_as_it_is(cuda: FakeCuda) -> None:
    stream = cuda.create_stream()
    cache, work = GraphCache(cuda, stream, enabled=True), Work(cuda, stream)
    for _ in range(2):
        run(cache, "key", work)

    def fails_once(context: str) -> None:
        if work.enqueued == 2:
            work.enqueued += 1
            raise BackendError("not now")
        work(context)

    cache.run("key", fails_once, "shared", work.make_context)
    cuda.synchronize(stream)
    assert work.ran == 3 and not cuda.graphs and not cache.enabled


def test_no_room_for_a_context_of_its_own_is_no_error(cuda: FakeCuda) -> None:
    stream = cuda.create_stream()
    cache, work = GraphCache(cuda, stream, enabled=True), Work(cuda, stream)

    def no_room() -> str:
        raise OutOfMemoryError("no room for a context")

    for _ in range(3):
        cache.run("key", work, "shared", no_room)
    cuda.synchronize(stream)
    assert work.contexts == ["shared"] * 3 and work.ran == 3 and not cache.enabled


def test_a_lost_gpu_is_no_reason_to_try_without_graphs(cuda: FakeCuda) -> None:
    stream = cuda.create_stream()
    cache, work = GraphCache(cuda, stream, enabled=True), Work(cuda, stream)
    for _ in range(2):
        run(cache, "key", work)
    cuda.lost = True
    with pytest.raises(DeviceError, match="start a new process"):
        run(cache, "key", work)
