from ctypes import byref, c_void_p
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.errors import KernelError
from plugins.lif import lif
from plugins.lif.selftest import LifParams, prepare
from plugins.selftest import calls
from plugins.selftest.device import Device
from plugins.selftest.kernels import FLOAT16, FLOAT32, INT8
from tests.plugins import samples

SPIKES = (np.float32, np.float16, np.int8)


@settings(max_examples=100, deadline=None)
@given(
    seed=samples.seeds,
    K=samples.tokens,
    D=samples.widths,
    dtype=samples.dtypes,
    spike_type=st.sampled_from(SPIKES),
    reset=st.sampled_from(["hard", "soft"]),
    steps=st.integers(1, 5),
    one_value=st.booleans(),
    exact=st.booleans(),
)
def test_kernel_equals_reference(
    emulated_kernels, seed, K, D, dtype, spike_type, reset, steps, one_value, exact
):
    """Bit for bit: on dyadic values, which meet the threshold exactly, and on those that round."""
    rng = np.random.default_rng(seed)
    leading = (steps,) if steps > 1 else ()
    draw = partial(samples.dyadic, rng) if exact else partial(_normal, rng)
    x = draw((*leading, K, D), dtype)
    v = draw((1,) if one_value else (K, D), dtype)
    decay, threshold = (0.5, 0.75) if exact else (0.9, 0.7)
    attributes = {
        "decay": decay, "threshold": threshold, "v_reset": 0.125, "reset": reset,
        "spike_type": spike_type, "steps": steps,
    }  # fmt: skip
    with Device(emulated_kernels) as device:
        got = calls.run(device, prepare(device, x, v, **attributes))
    for array, wanted in zip(got, lif(x, v, **attributes), strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


def _normal(rng, shape, dtype):
    return rng.normal(size=shape).astype(dtype)


def test_every_half_passes_through_unchanged(device):
    """A neuron that never fires and forgets at once returns its current."""
    x = np.arange(65536, dtype=np.uint16).view(np.float16)
    x = x[np.isfinite(x)]
    call = prepare(device, x, np.zeros(1, np.float16), decay=0.0, threshold=1e9)
    _, v_next = calls.run(device, call)
    np.testing.assert_array_equal(v_next.view(np.uint16)[x != 0], x.view(np.uint16)[x != 0])


def test_the_state_may_be_updated_in_place(device):
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=(2, 1025)).astype(np.float32)
    call = prepare(device, x, v, decay=0.5, threshold=0.5)
    buffers = [device.array(x), state := device.array(v), call.outputs[0], state]
    params = LifParams(1025, 1, FLOAT32, FLOAT32, 0, 0, 0.5, 0.5, 0.0)
    pointers = [buffer.pointer for buffer in buffers]
    device.kernels.call("spikehaltLif", byref(params), *pointers, device.stream)
    np.testing.assert_array_equal(state.download(), lif(x, v, decay=0.5, threshold=0.5)[1])


def test_pointers_that_are_not_aligned_are_read_element_by_element(device):
    rng = np.random.default_rng(2)
    x, v = rng.normal(size=(2, 64)).astype(np.float16)
    spike, v_next = device.empty((65,), np.int8), device.empty((65,), np.float16)
    params = LifParams(63, 1, FLOAT16, INT8, 0, 0, 0.5, 0.5, 0.0)
    shifted = [
        c_void_p(buffer.pointer.value + buffer.dtype.itemsize)
        for buffer in (device.array(x), device.array(v), spike, v_next)
    ]
    device.kernels.call("spikehaltLif", byref(params), *shifted, device.stream)
    wanted = lif(x[1:], v[1:], decay=0.5, threshold=0.5, spike_type=np.int8)
    np.testing.assert_array_equal(spike.download()[1:64], wanted[0])
    np.testing.assert_array_equal(v_next.download()[1:64], wanted[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": INT8}, "element type"),
        ({"type": 7}, "element type"),
        ({"spikeType": 3}, "element type"),
        ({"steps": 0}, "size"),
        ({"elements": -1}, "size"),
        ({"elements": 2**62, "steps": 64}, "size"),
    ],
)
def test_a_wrong_call_gets_an_error_code(device, changes, message):
    params = LifParams(4, 1, FLOAT32, FLOAT32, 0, 0, 0.5, 1.0, 0.0)
    for name, value in changes.items():
        setattr(params, name, value)
    pointer = device.empty((4,), np.float32).pointer
    with pytest.raises(KernelError, match=message):
        device.kernels.call("spikehaltLif", byref(params), *[pointer] * 4, device.stream)


def test_a_missing_tensor_gets_an_error_code(device):
    params = LifParams(4, 1, FLOAT32, FLOAT32, 0, 0, 0.5, 1.0, 0.0)
    pointer = device.empty((4,), np.float32).pointer
    for missing in range(4):
        pointers = [None if i == missing else pointer for i in range(4)]
        with pytest.raises(KernelError, match="missing"):
            device.kernels.call("spikehaltLif", byref(params), *pointers, device.stream)


def test_no_elements_are_no_error(device):
    empty = np.zeros((0, 8), np.float32)
    spike, _ = calls.run(device, prepare(device, empty, empty, decay=0.5, threshold=1.0))
    assert spike.shape == (0, 8)
