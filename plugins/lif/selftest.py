"""LIF's part of the self-test."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, byref, c_float, c_int32, c_int64, c_void_p
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plugins.common.types import Array
from plugins.lif.reference import lif
from plugins.selftest.calls import Call
from plugins.selftest.device import Device
from plugins.selftest.kernels import Signature, type_of
from plugins.selftest.part import WIDTH, Case, Part, Prepare, Sizes


class LifParams(ctypes.Structure):
    """`SpikehaltLifParams`."""

    _fields_ = (
        ("elements", c_int64),
        ("steps", c_int32),
        ("type", c_int32),
        ("spikeType", c_int32),
        ("oneState", c_int32),
        ("softReset", c_int32),
        ("decay", c_float),
        ("threshold", c_float),
        ("vReset", c_float),
    )


def prepare(
    device: Device,
    x: Array,
    v: Array,
    *,
    decay: float,
    threshold: float,
    v_reset: float = 0.0,
    reset: str = "hard",
    spike_type: npt.DTypeLike = np.float32,
    steps: int = 1,
) -> Call:
    """LIF; arguments as in `plugins.lif.reference.lif`."""
    one_step = x.shape[1:] if steps > 1 else x.shape
    params = LifParams(
        elements=int(np.prod(one_step, dtype=np.int64)),
        steps=steps,
        type=type_of(x.dtype),
        spikeType=type_of(spike_type),
        oneState=int(v.shape != one_step),
        softReset=int(reset == "soft"),
        decay=decay,
        threshold=threshold,
        vReset=v_reset,
    )
    inputs = (device.array(x), device.array(v))
    outputs = (device.empty(x.shape, spike_type), device.empty(one_step, x.dtype))
    pointers = [buffer.pointer for buffer in (*inputs, *outputs)]
    launch = partial(device.kernels.call, "spikehaltLif", byref(params), *pointers, device.stream)
    return Call(launch, inputs, outputs)


def _cases(rng: np.random.Generator, K: int, D: int, dtype: Any) -> Iterator[Case]:
    """One and several steps, both resets, every spike type; the kernel rounds as numpy does."""
    for steps, reset, spike in (
        (1, "hard", np.int8),
        (1, "soft", np.float16),
        (4, "hard", np.float32),
    ):
        leading = (steps,) if steps > 1 else ()
        x = rng.normal(size=(*leading, 2, K, D)).astype(dtype)
        v = rng.normal(size=(2, K, D) if reset == "soft" else 1).astype(dtype)
        options: dict[str, Any] = {
            "decay": 0.5, "threshold": 0.5, "reset": reset, "spike_type": spike, "steps": steps,
        }  # fmt: skip
        yield Case(
            "LIF",
            f"K={K} D={D} {np.dtype(dtype)} steps={steps} {reset} {np.dtype(spike)}",
            partial(prepare, x=x, v=v, **options),
            partial(lif, x, v, **options),
            tolerance=0.0,
        )


def _timings(dtype: Any, sizes: Sizes) -> Iterator[tuple[str, Prepare]]:
    """One step with spikes of the type of x, and four with spikes of one byte."""
    name = np.dtype(dtype).name
    rows = sizes.elements // WIDTH
    yield f"LIF {name}", partial(_one_step, dtype=dtype, rows=rows)
    yield f"LIF {name}, int8, 4 steps", partial(_four_steps, dtype=dtype, rows=rows)


def _one_step(device: Device, dtype: Any, rows: int) -> Call:
    x = np.ones((rows, WIDTH), dtype)
    return prepare(device, x, x, decay=0.5, threshold=1.0, spike_type=dtype)


def _four_steps(device: Device, dtype: Any, rows: int) -> Call:
    x = np.ones((4, rows // 4, WIDTH), dtype)
    return prepare(device, x, x[0], decay=0.5, threshold=1.0, spike_type=np.int8, steps=4)


PART: Final = Part(
    structures={"SpikehaltLifParams": LifParams},
    functions={"spikehaltLif": Signature([POINTER(LifParams), *[c_void_p] * 5])},
    cases=_cases,
    timings=_timings,
)
