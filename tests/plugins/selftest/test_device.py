import numpy as np
import pytest

from plugins.errors import KernelError, NoDeviceError
from plugins.lif.selftest import prepare
from plugins.selftest import calls
from plugins.selftest.device import Device

NO_DEVICE, OUT_OF_MEMORY, LAUNCH_FAILED = 100, 2, 719


@pytest.fixture
def failing(emulated_kernels):
    """Make the emulated CUDA answer with an error code, until the test ends."""
    fail = emulated_kernels._library.emulationFail
    yield fail
    fail(0)


def test_arrays_come_back_unchanged(device):
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    np.testing.assert_array_equal(device.array(array).download(), array, strict=True)


def test_a_machine_without_a_gpu_is_told_so_in_a_sentence(emulated_kernels, failing):
    failing(NO_DEVICE)
    with pytest.raises(NoDeviceError, match="no usable NVIDIA GPU"):
        Device(emulated_kernels)


def test_memory_that_is_not_there_is_an_error(device, failing):
    failing(OUT_OF_MEMORY)
    with pytest.raises(KernelError, match="spikehaltAllocate failed with code 2"):
        device.empty((8,), np.float32)


def test_a_launch_that_fails_is_an_error(device, failing):
    call = prepare(device, np.ones(8, np.float32), np.ones(8, np.float32), decay=0.5, threshold=1.0)
    failing(LAUNCH_FAILED)
    with pytest.raises(KernelError, match="spikehaltLif failed with code 719"):
        call.launch()
    failing(0)
    assert calls.run(device, call)[0].all()


def test_a_scope_frees_what_was_made_in_it(device):
    kept = device.array(np.ones(4, np.float32))
    with device.scope():
        inner = device.array(np.ones(4, np.float32))
    assert inner.pointer.value is None
    assert kept.download().sum() == 4


def test_timing_replays_the_launch_as_a_graph(device):
    """Captured, not run; then once to warm up and three times to time."""
    state, one = device.array(np.zeros(4, np.float32)), device.array(np.ones(4, np.float32))
    assert device.time_ms(lambda: device.copy(state, one), runs=3) >= 0
    np.testing.assert_array_equal(state.download(), np.ones(4))


def test_a_wait_for_the_device_cannot_be_timed(device):
    with pytest.raises(KernelError, match="spikehaltStreamSynchronize"):
        device.time_ms(device.synchronize, runs=1)
