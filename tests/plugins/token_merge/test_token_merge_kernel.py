from ctypes import byref

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugins.errors import KernelError
from plugins.selftest import calls
from plugins.selftest.device import Device
from plugins.selftest.kernels import FLOAT32, INT8
from plugins.token_merge import token_merge
from plugins.token_merge.selftest import TokenMergeParams, TokenMergeTensors, prepare
from tests.plugins import samples
from tests.plugins.token_merge.test_token_merge_function import random_sources


@settings(max_examples=60, deadline=None)
@given(
    seed=samples.seeds,
    B=samples.batches,
    K=samples.tokens,
    D=samples.widths,
    dtype=samples.dtypes,
    pattern=samples.live_patterns,
    fraction=st.floats(0, 1),
    given_source=st.booleans(),
)
def test_kernel_equals_reference(
    emulated_kernels, seed, B, K, D, dtype, pattern, fraction, given_source
):
    assume(K >= 2)
    gamma = 1 + int(fraction * (K // 2 - 1))
    feeds = samples.merge_inputs(seed, B, K, D, dtype, pattern)
    if given_source:
        feeds["source"] = random_sources(seed, B, K, gamma)
    with Device(emulated_kernels) as device:
        got = calls.run(device, prepare(device, **feeds, gamma=gamma))
    for array, wanted in zip(got, token_merge(**feeds, gamma=gamma), strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


@pytest.mark.parametrize("seed", range(3))
def test_kernel_equals_reference_where_partners_tie(device, seed):
    feeds = samples.tied_merge_inputs(seed, 2, 33, 5)
    got = calls.run(device, prepare(device, **feeds, gamma=16))
    for array, wanted in zip(got, token_merge(**feeds, gamma=16), strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


@pytest.mark.parametrize("B", [1, 40])
def test_small_and_large_blocks_agree_with_the_reference(device, B):
    """Many images take blocks of four quads, few take blocks of one."""
    feeds = samples.merge_inputs(B, B, 104, 8, np.float32, "some")
    got = calls.run(device, prepare(device, **feeds, gamma=30))
    for array, wanted in zip(got, token_merge(**feeds, gamma=30), strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


def test_sums_that_round_have_the_same_bits_every_time(device):
    rng = np.random.default_rng(3)
    feeds = samples.merge_inputs(3, 2, 65, 40, np.float16, "all")
    feeds["x"] = rng.normal(size=(2, 65, 40)).astype(np.float16)
    call = prepare(device, **feeds, gamma=32)
    first, second = calls.run(device, call), calls.run(device, call)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    wanted = token_merge(**feeds, gamma=32)
    np.testing.assert_allclose(first[0], wanted[0], atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("source", [[[0, 0, 0]], [[-5, 2, 4]], [[1, 3, 5]], [[2**31 - 1, 0, 8]]])
def test_sources_that_are_not_valid_do_no_harm(device, source):
    """The emulated memory ends at an unreadable page; results are of no use but in range."""
    feeds = samples.merge_inputs(1, 1, 9, 8, np.float32, "all")
    feeds["source"] = np.array(source, np.int32)
    _, _, _, keep, _ = calls.run(device, prepare(device, **feeds, gamma=3))
    assert ((keep >= 0) & (keep < 9)).all()


def test_tokens_that_are_not_finite_do_no_harm(device):
    feeds = samples.merge_inputs(1, 1, 64, 8, np.float32, "all")
    feeds["x"][:] = np.nan
    _, _, _, keep, source = calls.run(device, prepare(device, **feeds, gamma=8))
    assert ((keep >= 0) & (keep < 64)).all() and ((source >= 0) & (source < 64)).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": INT8}, "element type"),
        ({"tokens": 1}, "size"),
        ({"tokens": 4097}, "size"),
        ({"width": 0}, "size"),
        ({"images": -1}, "size"),
        ({"gamma": 0}, "attribute"),
        ({"gamma": 5}, "attribute"),
    ],
)
def test_a_wrong_call_gets_an_error_code(device, changes, message):
    params = TokenMergeParams(1, 4, 8, 2, FLOAT32, 1)
    for name, value in changes.items():
        setattr(params, name, value)
    pointer = device.empty((64,), np.float32).pointer
    tensors = TokenMergeTensors(*[pointer] * 10, 256)
    with pytest.raises(KernelError, match=message):
        device.kernels.call("spikehaltTokenMerge", byref(params), byref(tensors), device.stream)


def test_a_missing_tensor_or_a_small_workspace_gets_an_error_code(device):
    params = TokenMergeParams(1, 4, 8, 2, FLOAT32, 1)
    pointer = device.empty((64,), np.float32).pointer
    for missing in range(10):
        pointers = [None if i == missing else pointer for i in range(10)]
        with pytest.raises(KernelError, match="missing"):
            device.kernels.call(
                "spikehaltTokenMerge", byref(params),
                byref(TokenMergeTensors(*pointers, 256)), device.stream,
            )  # fmt: skip
    needed = device.kernels.size("spikehaltTokenMergeWorkspace", byref(params))
    with pytest.raises(KernelError, match="workspace is smaller"):
        device.kernels.call(
            "spikehaltTokenMerge", byref(params),
            byref(TokenMergeTensors(*[pointer] * 10, needed - 1)), device.stream,
        )  # fmt: skip


def test_the_most_tokens_fit_into_shared_memory(device):
    """4096 tokens of one element: the launch must be accepted and the choice be right."""
    feeds = samples.merge_inputs(2, 1, 4096, 1, np.float32, "none")
    *_, keep, source = calls.run(device, prepare(device, **feeds, gamma=2048))
    np.testing.assert_array_equal(source[0], np.arange(0, 4096, 2))
    np.testing.assert_array_equal(keep[0], np.arange(1, 4096, 2))
