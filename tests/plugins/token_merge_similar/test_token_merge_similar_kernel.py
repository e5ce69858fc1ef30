from ctypes import byref

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugins.errors import KernelError
from plugins.selftest import calls
from plugins.selftest.device import Device
from plugins.selftest.kernels import FLOAT32, INT8
from plugins.token_merge_similar import token_merge_similar
from plugins.token_merge_similar.selftest import (
    TokenMergeSimilarParams,
    TokenMergeSimilarTensors,
    prepare,
)
from tests.plugins import samples
from tests.plugins.token_merge_similar.test_token_merge_similar_function import random_mask

NAME = "spikehaltTokenMergeSimilar"


@settings(max_examples=60, deadline=None)
@given(
    seed=samples.seeds,
    B=samples.batches,
    K=samples.tokens,
    D=samples.widths,
    dtype=samples.dtypes,
    pattern=samples.live_patterns,
    threshold=st.sampled_from([0.25, 0.5, 0.8, 1.0]),
    given_source=st.booleans(),
)
def test_kernel_equals_reference(
    emulated_kernels, seed, B, K, D, dtype, pattern, threshold, given_source
):
    assume(K >= 2)
    feeds = samples.merge_inputs(seed, B, K, D, dtype, pattern)
    if given_source:
        feeds["source"] = random_mask(seed, B, K)
    with Device(emulated_kernels) as device:
        got = calls.run(device, prepare(device, **feeds, threshold=threshold))
    for array, wanted in zip(got, token_merge_similar(**feeds, threshold=threshold), strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


@pytest.mark.parametrize("threshold", samples.TIED_THRESHOLDS)
def test_kernel_equals_reference_where_similarities_are_the_threshold(device, threshold):
    for seed in range(3):
        feeds = samples.threshold_inputs(seed, 2, 33)
        got = calls.run(device, prepare(device, **feeds, threshold=threshold))
        for array, wanted in zip(
            got, token_merge_similar(**feeds, threshold=threshold), strict=True
        ):
            np.testing.assert_array_equal(array, wanted, strict=True)


@pytest.mark.parametrize("B", [1, 40])
def test_small_and_large_blocks_agree_with_the_reference(device, B):
    """Many images take blocks of four quads, few take blocks of one."""
    feeds = samples.merge_inputs(B, B, 104, 8, np.float32, "some")
    got = calls.run(device, prepare(device, **feeds, threshold=0.8))
    for array, wanted in zip(got, token_merge_similar(**feeds, threshold=0.8), strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


def test_tokens_that_are_not_finite_do_no_harm(device):
    feeds = samples.merge_inputs(1, 1, 64, 8, np.float32, "all")
    feeds["x"][:] = np.nan
    *_, live, source = calls.run(device, prepare(device, **feeds, threshold=0.5))
    assert live.all() and not source.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": INT8}, "element type"),
        ({"tokens": 1}, "size"),
        ({"tokens": 4097}, "size"),
        ({"width": 0}, "size"),
        ({"images": -1}, "size"),
        ({"threshold": 0.0}, "attribute"),
        ({"threshold": 1.5}, "attribute"),
        ({"threshold": float("nan")}, "attribute"),
    ],
)
def test_a_wrong_call_gets_an_error_code(device, changes, message):
    params = TokenMergeSimilarParams(1, 4, 8, FLOAT32, 1, 0.5)
    for name, value in changes.items():
        setattr(params, name, value)
    pointer = device.empty((64,), np.float32).pointer
    tensors = TokenMergeSimilarTensors(*[pointer] * 9, 256)
    with pytest.raises(KernelError, match=message):
        device.kernels.call(NAME, byref(params), byref(tensors), device.stream)


def test_a_missing_tensor_or_a_small_workspace_gets_an_error_code(device):
    params = TokenMergeSimilarParams(1, 4, 8, FLOAT32, 1, 0.5)
    pointer = device.empty((64,), np.float32).pointer
    for missing in range(9):
        pointers = [None if i == missing else pointer for i in range(9)]
        tensors = TokenMergeSimilarTensors(*pointers, 256)
        with pytest.raises(KernelError, match="missing"):
            device.kernels.call(NAME, byref(params), byref(tensors), device.stream)
    needed = device.kernels.size(f"{NAME}Workspace", byref(params))
    tensors = TokenMergeSimilarTensors(*[pointer] * 9, needed - 1)
    with pytest.raises(KernelError, match="workspace is smaller"):
        device.kernels.call(NAME, byref(params), byref(tensors), device.stream)


def test_the_most_tokens_fit_into_shared_memory(device):
    feeds = samples.merge_inputs(2, 1, 4096, 1, np.float32, "all")
    feeds["x"][:] = 1
    _, size, live, source = calls.run(device, prepare(device, **feeds, threshold=1.0))
    np.testing.assert_array_equal(source[0, ::2], 1)
    np.testing.assert_array_equal(live[0, 1::2], 1)
    assert size[0, 1] == feeds["size"][0, ::2].sum() + feeds["size"][0, 1]
