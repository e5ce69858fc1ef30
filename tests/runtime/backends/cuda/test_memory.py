from __future__ import annotations

import gc

import numpy as np
import pytest

from runtime.backends.cuda.memory import Staged, StateLease, StatePool, StateSet
from runtime.errors import OutOfMemoryError
from tests.fakes.cuda import FakeCuda

SIZES = {"state.a": 16, "state.b": 64}


@pytest.fixture
def cuda() -> FakeCuda:
    fake = FakeCuda()
    fake.make_current()
    return fake


def test_a_staged_tensor_goes_to_the_gpu_and_back(cuda: FakeCuda) -> None:
    stream, staged = cuda.create_stream(), Staged(cuda, (4, 2), np.float32)
    staged.fill(np.arange(6, dtype=np.float32).reshape(3, 2), (4, 2), -1)
    staged.upload((4, 2), stream)
    cuda.synchronize(stream)
    staged.view((4, 2))[...] = 0
    staged.download((3, 2), stream)
    cuda.synchronize(stream)
    np.testing.assert_array_equal(staged.view((4, 2)), [[0, 1], [2, 3], [4, 5], [0, 0]])
    assert (cuda.uploaded, cuda.downloaded) == ([32], [24])
    staged.free()
    cuda.destroy_stream(stream)
    assert cuda.is_empty()


def test_rows_that_are_missing_are_padded(cuda: FakeCuda) -> None:
    staged = Staged(cuda, (5,), np.int32)
    staged.fill(np.array([7, 8], np.int32), (4,), -1)
    np.testing.assert_array_equal(staged.view((4,)), [7, 8, -1, -1])
    staged.free()
    assert cuda.is_empty()


def test_a_scalar_has_no_rows_to_pad(cuda: FakeCuda) -> None:
    staged = Staged(cuda, (), np.float32)
    staged.fill(np.array(0.5, np.float32), (), 0)
    assert staged.view(()) == np.float32(0.5)


def test_an_empty_tensor_is_not_copied(cuda: FakeCuda) -> None:
    stream, staged = cuda.create_stream(), Staged(cuda, (4, 3), np.float32)
    staged.upload((0, 3), stream)
    cuda.synchronize(stream)
    assert staged.view((0, 3)).shape == (0, 3)
    assert cuda.uploaded == []


def test_no_room_for_all_buffers_leaves_none_behind() -> None:
    cuda = FakeCuda(memory=70)
    cuda.make_current()
    with pytest.raises(OutOfMemoryError, match="out of memory"):
        StateSet(cuda, SIZES, 1)
    assert not cuda.device


def test_a_batch_ping_pongs_between_two_sets(cuda: FakeCuda) -> None:
    pool = StatePool(cuda, SIZES)
    first = pool.take()
    second = pool.take()
    pool.give_back(first)
    assert pool.take() is first
    pool.give_back(second)
    pool.give_back(first)
    assert len(cuda.device) == 4
    pool.close()
    assert not cuda.device


def test_a_lease_is_good_for_one_use(cuda: FakeCuda) -> None:
    pool = StatePool(cuda, SIZES)
    states = pool.take()
    lease = StateLease(states, pool.give_back, images=3)
    assert lease.take() is states
    assert lease.take() is None


def test_a_forgotten_lease_gives_its_set_back(cuda: FakeCuda) -> None:
    pool = StatePool(cuda, SIZES)
    states = pool.take()
    lease = StateLease(states, pool.give_back, images=3)
    del lease
    gc.collect()
    assert pool.take() is states


def test_a_set_that_comes_back_after_the_end_is_freed(cuda: FakeCuda) -> None:
    pool = StatePool(cuda, SIZES)
    states = pool.take()
    pool.close()
    pool.give_back(states)
    assert not cuda.device
