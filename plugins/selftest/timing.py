"""How fast the kernels are, against a copy on the same device in the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from plugins.selftest.calls import Call
from plugins.selftest.cases import DTYPES, all_parts
from plugins.selftest.device import Device
from plugins.selftest.part import Prepare, Sizes

Say = Callable[[str], None]


@dataclass(frozen=True)
class Timing:
    """Time and rate of one launch.

    Args:
        name: op and types.
        milliseconds: mean of the launches of one CUDA graph.
        gigabytes_per_s: bytes of all inputs and outputs over that time.
    """

    name: str
    milliseconds: float
    gigabytes_per_s: float


def measure(device: Device, sizes: Sizes) -> list[Timing]:
    """Time a device copy, then every op with all tokens alive; their ratio is what counts."""
    copy: tuple[str, Prepare] = ("device copy", partial(_copy, elements=sizes.elements))
    parts = all_parts()
    ops = (each for dtype in DTYPES for part in parts for each in part.timings(dtype, sizes))
    timings = []
    for name, prepare in [copy, *ops]:
        with device.scope():
            call = prepare(device)
            milliseconds = device.time_ms(call.launch, sizes.runs)
        rate = call.bytes / max(milliseconds, 1e-9) / 1e6
        timings.append(Timing(name, milliseconds, rate))
    return timings


def report(timings: list[Timing], say: Say) -> None:
    """Say a line per timing; the first one is the copy that the others are compared with."""
    copy = timings[0].gigabytes_per_s
    for timing in timings:
        say(
            f"{timing.name:<38} {timing.milliseconds * 1e3:10.1f} us "
            f"{timing.gigabytes_per_s:8.1f} GB/s {timing.gigabytes_per_s / copy:6.1%} of the copy"
        )


def _copy(device: Device, elements: int) -> Call:
    source = device.array(np.zeros(elements, np.float32))
    target = device.empty((elements,), np.float32)
    return Call(partial(device.copy, target, source), (source,), (target,))
