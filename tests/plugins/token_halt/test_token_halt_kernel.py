from ctypes import byref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.errors import KernelError
from plugins.selftest import calls
from plugins.selftest.device import Device
from plugins.selftest.kernels import FLOAT32, INT8
from plugins.token_halt import token_halt
from plugins.token_halt.selftest import TokenHaltParams, TokenHaltTensors, prepare
from tests.plugins import samples


@settings(max_examples=100, deadline=None)
@given(
    seed=samples.seeds,
    B=samples.batches,
    K=samples.tokens,
    D=st.integers(1, 140),
    dtype=samples.dtypes,
    pattern=samples.live_patterns,
    last=st.booleans(),
    layout=st.sampled_from(["packed", "dense", "reduced"]),
)
def test_kernel_equals_reference(emulated_kernels, seed, B, K, D, dtype, pattern, last, layout):
    reduce = layout == "reduced"
    feeds = samples.halt_inputs(seed, (K,) if layout == "packed" else (B, K), D, dtype, pattern)
    attributes = {"alpha": 2.0, "beta": -1.0, "last": last, "reduce": reduce}
    with Device(emulated_kernels) as device:
        call = prepare(device, **feeds, **attributes)
        got, again = calls.run(device, call), calls.run(device, call)
    wanted = token_halt(**feeds, **attributes)
    edge = np.abs(wanted[2] - (1 - feeds["epsilon"])) < 1e-5
    np.testing.assert_array_equal(got[3][~edge], wanted[3][~edge])
    for array, repeated, expected in zip(got, again, wanted, strict=True):
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(array, repeated)
    if not edge.any():
        for array, expected in zip(got, wanted, strict=True):
            np.testing.assert_allclose(array, expected, atol=1e-5 * K, rtol=1e-5)


def test_dead_tokens_are_not_read(emulated_kernels):
    """Not even NaN in a dead token reaches an output."""
    feeds = samples.halt_inputs(4, (2, 33), 20, np.float32, "some")
    wanted = token_halt(**feeds, alpha=1.0, beta=0.0, last=0, reduce=True)
    feeds["x"][feeds["live"] == 0] = np.nan
    with Device(emulated_kernels) as device:
        for reduce in (False, True):
            call = prepare(device, **feeds, alpha=1.0, beta=0.0, last=0, reduce=reduce)
            got = calls.run(device, call)
            assert all(np.isfinite(array).all() for array in got)
    np.testing.assert_allclose(got[0], wanted[0], atol=1e-4)


def test_no_tokens_give_an_empty_or_a_zero_readout(device):
    feeds = samples.halt_inputs(5, (2, 0), 20, np.float32, "all")
    attributes = {"alpha": 1.0, "beta": 0.0, "last": 0}
    rows = prepare(device, **feeds, **attributes, reduce=False)
    assert calls.run(device, rows)[0].shape == (2, 0, 20)
    summed = prepare(device, **feeds, **attributes, reduce=True)
    np.testing.assert_array_equal(calls.run(device, summed)[0], np.zeros((2, 20)))


@pytest.mark.parametrize("function", ["spikehaltTokenHalt", "spikehaltTokenHaltSum"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": INT8}, "element type"),
        ({"width": 0}, "size"),
        ({"images": -1}, "size"),
        ({"tokens": 2**61}, "size"),
        ({"tokens": 0, "images": 2**40, "width": 2**40}, "size"),
    ],
)
def test_a_wrong_call_gets_an_error_code(device, function, changes, message):
    params = TokenHaltParams(1, 2, 4, FLOAT32, 0, 1.0, 0.0)
    for name, value in changes.items():
        setattr(params, name, value)
    tensors = TokenHaltTensors(*[device.empty((8,), np.float32).pointer] * 10)
    with pytest.raises(KernelError, match=message):
        device.kernels.call(function, byref(params), byref(tensors), device.stream)


@pytest.mark.parametrize("function", ["spikehaltTokenHalt", "spikehaltTokenHaltSum"])
def test_a_missing_tensor_gets_an_error_code(device, function):
    params = TokenHaltParams(1, 2, 4, FLOAT32, 0, 1.0, 0.0)
    pointer = device.empty((8,), np.float32).pointer
    for missing in range(10):
        tensors = TokenHaltTensors(*[None if i == missing else pointer for i in range(10)])
        with pytest.raises(KernelError, match="missing"):
            device.kernels.call(function, byref(params), byref(tensors), device.stream)
