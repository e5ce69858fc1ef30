"""The part of TokenHalt and TokenHaltSum of the self-test."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, byref, c_float, c_int32, c_int64, c_void_p
from functools import partial
from itertools import product
from typing import Any, Final

import numpy as np

from plugins.common.types import Array
from plugins.selftest.calls import Call
from plugins.selftest.device import Device
from plugins.selftest.kernels import Signature, type_of
from plugins.selftest.part import WIDTH, Case, Part, Prepare, Sizes
from plugins.token_halt.reference import token_halt


class TokenHaltParams(ctypes.Structure):
    """`SpikehaltTokenHaltParams`."""

    _fields_ = (
        ("images", c_int64),
        ("tokens", c_int64),
        ("width", c_int64),
        ("type", c_int32),
        ("last", c_int32),
        ("alpha", c_float),
        ("beta", c_float),
    )


class TokenHaltTensors(ctypes.Structure):
    """`SpikehaltTokenHaltTensors`: device pointers."""

    _fields_ = (
        ("x", c_void_p),
        ("size", c_void_p),
        ("hist", c_void_p),
        ("cum", c_void_p),
        ("live", c_void_p),
        ("epsilon", c_void_p),
        ("readout", c_void_p),
        ("histNext", c_void_p),
        ("cumNext", c_void_p),
        ("liveNext", c_void_p),
    )


def prepare(
    device: Device,
    x: Array,
    size: Array,
    hist: Array,
    cum: Array,
    live: Array,
    epsilon: Array,
    *,
    alpha: float,
    beta: float,
    last: int | bool,
    reduce: int | bool,
) -> Call:
    """TokenHalt; arguments as in `plugins.token_halt.reference.token_halt`."""
    images, tokens = (1, x.shape[0]) if x.ndim == 2 else x.shape[:2]
    params = TokenHaltParams(images, tokens, x.shape[-1], type_of(x.dtype), int(last), alpha, beta)
    inputs = tuple(device.array(array) for array in (x, size, hist, cum, live, epsilon))
    readout = (x.shape[0], x.shape[-1]) if reduce else x.shape
    outputs = (
        device.empty(readout, np.float32),
        device.empty(hist.shape, np.float32),
        device.empty(hist.shape, np.float32),
        device.empty(hist.shape, np.int32),
    )
    tensors = TokenHaltTensors(*(buffer.pointer for buffer in (*inputs, *outputs)))
    name = "spikehaltTokenHaltSum" if reduce else "spikehaltTokenHalt"
    launch = partial(device.kernels.call, name, byref(params), byref(tensors), device.stream)
    return Call(launch, inputs, outputs)


def _cases(rng: np.random.Generator, K: int, D: int, dtype: Any) -> Iterator[Case]:
    """Packed rows and sums, the last block and others, some tokens dead, some halting."""
    for reduce, last in product((False, True), (False, True)):
        shape = (3, K) if reduce else (3 * K,)
        feeds: dict[str, Any] = {
            "x": rng.normal(size=(*shape, D)).astype(dtype),
            "size": rng.integers(1, 5, shape).astype(np.float32),
            "hist": rng.random(shape, np.float32) / 4,
            "cum": rng.random(shape, np.float32) / 4,
            "live": rng.integers(0, 2, shape).astype(np.int32),
            "epsilon": np.array(0, np.float32),
        }
        options: dict[str, Any] = {"alpha": 2.0, "beta": -1.0, "last": last, "reduce": reduce}
        feeds["epsilon"] = _clear_epsilon(token_halt(**feeds, **options)[2])
        yield Case(
            "TokenHaltSum" if reduce else "TokenHalt",
            f"K={K} D={D} {np.dtype(dtype)} last={last}",
            partial(prepare, **feeds, **options),
            partial(token_halt, **feeds, **options),
            tolerance=1e-5 * K,
        )


def _clear_epsilon(sums: Array) -> Array:
    """An epsilon whose threshold lies in the widest gap between the tokens' sums.

    So no decision hangs on how the sigmoid is rounded, and some tokens halt while others do not.
    """
    ordered = np.sort(sums, axis=None)
    gaps = np.diff(ordered)
    middle = ordered[0] - 1 if gaps.size == 0 else ordered[gaps.argmax()] + gaps.max() / 2
    return np.asarray(1 - middle, dtype=np.float32)


def _timings(dtype: Any, sizes: Sizes) -> Iterator[tuple[str, Prepare]]:
    """Both ops, all tokens alive."""
    for reduce, op in ((False, "TokenHalt"), (True, "TokenHaltSum")):
        yield (
            f"{op} {np.dtype(dtype).name}",
            partial(_all_alive, dtype=dtype, elements=sizes.elements, reduce=reduce),
        )


def _all_alive(device: Device, dtype: Any, elements: int, reduce: bool) -> Call:
    x = np.ones((max(elements // WIDTH // 64, 1), 64, WIDTH), dtype)
    one, zero = np.ones(x.shape[:2], np.float32), np.zeros(x.shape[:2], np.float32)
    return prepare(
        device, x, one, zero, zero, one.astype(np.int32), np.array(0.01, np.float32),
        alpha=5.0, beta=-10.0, last=False, reduce=reduce,
    )  # fmt: skip


_ARGUMENTS: Final = (POINTER(TokenHaltParams), POINTER(TokenHaltTensors), c_void_p)
PART: Final = Part(
    structures={
        "SpikehaltTokenHaltParams": TokenHaltParams,
        "SpikehaltTokenHaltTensors": TokenHaltTensors,
    },
    functions={
        "spikehaltTokenHalt": Signature(_ARGUMENTS),
        "spikehaltTokenHaltSum": Signature(_ARGUMENTS),
    },
    cases=_cases,
    timings=_timings,
)
