"""TokenMergeSimilar's part of the self-test."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, byref, c_float, c_int32, c_int64, c_size_t, c_void_p
from functools import partial
from itertools import product
from typing import Any, Final

import numpy as np

from plugins.common.types import Array
from plugins.selftest.calls import Call
from plugins.selftest.device import Device
from plugins.selftest.kernels import Signature, type_of
from plugins.selftest.part import WIDTH, Case, Part, Prepare, Sizes
from plugins.token_merge_similar.reference import token_merge_similar


class TokenMergeSimilarParams(ctypes.Structure):
    """`SpikehaltTokenMergeSimilarParams`."""

    _fields_ = (
        ("images", c_int64),
        ("width", c_int64),
        ("tokens", c_int32),
        ("type", c_int32),
        ("oneSource", c_int32),
        ("threshold", c_float),
    )


class TokenMergeSimilarTensors(ctypes.Structure):
    """`SpikehaltTokenMergeSimilarTensors`: device pointers."""

    _fields_ = (
        ("x", c_void_p),
        ("size", c_void_p),
        ("live", c_void_p),
        ("source", c_void_p),
        ("xNext", c_void_p),
        ("sizeNext", c_void_p),
        ("liveNext", c_void_p),
        ("sourceOut", c_void_p),
        ("workspace", c_void_p),
        ("workspaceBytes", c_size_t),
    )


def prepare(
    device: Device, x: Array, size: Array, live: Array, source: Array, *, threshold: float
) -> Call:
    """TokenMergeSimilar; arguments as in its reference."""
    B, K, D = x.shape
    one = int(source.shape == (1, 1))
    params = TokenMergeSimilarParams(B, D, K, type_of(x.dtype), one, threshold)
    inputs = tuple(device.array(array) for array in (x, size, live, source))
    outputs = (
        device.empty((B, K, D), x.dtype),
        device.empty((B, K), np.float32),
        device.empty((B, K), np.int32),
        device.empty((B, K), np.int32),
    )
    size_of = device.kernels.size("spikehaltTokenMergeSimilarWorkspace", byref(params))
    workspace = device.empty((size_of,), np.uint8)
    pointers = [buffer.pointer for buffer in (*inputs, *outputs, workspace)]
    tensors = TokenMergeSimilarTensors(*pointers, workspace.bytes)
    name = "spikehaltTokenMergeSimilar"
    launch = partial(device.kernels.call, name, byref(params), byref(tensors), device.stream)
    return Call(launch, inputs, outputs)


def _cases(rng: np.random.Generator, K: int, D: int, dtype: Any) -> Iterator[Case]:
    """Small whole numbers, so that sums are exact and ties common; everyone, some, nobody alive."""
    if K < 2:
        return
    for share, threshold in product((1.0, 0.5, 0.0), (0.5, 1.0)):
        feeds: dict[str, Any] = {
            "x": rng.integers(0, 3, (2, K, D)).astype(dtype),
            "size": rng.integers(1, 5, (2, K)).astype(np.float32),
            "live": (rng.random((2, K)) < share).astype(np.int32),
            "source": np.array([[-1]], np.int32),
        }
        yield Case(
            "TokenMergeSimilar",
            f"K={K} D={D} {np.dtype(dtype)} threshold={threshold} alive={share}",
            partial(prepare, **feeds, threshold=threshold),
            partial(token_merge_similar, **feeds, threshold=threshold),
            tolerance=0.0,
        )


def _timings(dtype: Any, sizes: Sizes) -> Iterator[tuple[str, Prepare]]:
    """Few and many images of few and many tokens, all alive."""
    for tokens, images in product(sizes.tokens, sizes.images):
        yield (
            f"TokenMergeSimilar {np.dtype(dtype).name} [{images}, {tokens}, {WIDTH}]",
            partial(_all_alive, dtype=dtype, images=images, tokens=tokens),
        )


def _all_alive(device: Device, dtype: Any, images: int, tokens: int) -> Call:
    x = np.random.default_rng(0).integers(0, 8, (images, tokens, WIDTH)).astype(dtype)
    one = np.ones(x.shape[:2], np.float32)
    choose = np.array([[-1]], np.int32)
    return prepare(device, x, one, one.astype(np.int32), choose, threshold=0.7)


PART: Final = Part(
    structures={
        "SpikehaltTokenMergeSimilarParams": TokenMergeSimilarParams,
        "SpikehaltTokenMergeSimilarTensors": TokenMergeSimilarTensors,
    },
    functions={
        "spikehaltTokenMergeSimilar": Signature(
            [POINTER(TokenMergeSimilarParams), POINTER(TokenMergeSimilarTensors), c_void_p]
        ),
        "spikehaltTokenMergeSimilarWorkspace": Signature(
            [POINTER(TokenMergeSimilarParams)], result=c_size_t
        ),
    },
    cases=_cases,
    timings=_timings,
)
