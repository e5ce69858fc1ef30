"""How fast the kernels are, against a copy on the same device in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from plugins.selftest import calls
from plugins.selftest.calls import Call
from plugins.selftest.device import Device

Say = Callable[[str], None]
Prepare = Callable[[Device], Call]

WIDTH = 384
"""D of the measured tensors: that of a small vision transformer."""
BYTES_PER_MEGABYTE = 1 << 20


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


@dataclass(frozen=True)
class Sizes:
    """Sizes of what is timed.

    Args:
        megabytes: size of x in float32 for the streaming ops; it should exceed the caches.
        images: B of TokenMerge.
        tokens: K of TokenMerge; CIFAR's and ImageNet's, at least 50.
        runs: launches per timing.
    """

    megabytes: int = 256
    images: tuple[int, ...] = (1, 64)
    tokens: tuple[int, ...] = (64, 196)
    runs: int = 20


def measure(device: Device, sizes: Sizes) -> list[Timing]:
    """Time a device copy, then every op with all tokens alive; their ratio is what counts."""
    elements = sizes.megabytes * BYTES_PER_MEGABYTE // 4
    copy: tuple[str, Prepare] = ("device copy", partial(_copy, elements=elements))
    timings = []
    for name, prepare in [copy, *_ops(elements, sizes)]:
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


def _ops(elements: int, sizes: Sizes) -> Iterable[tuple[str, Prepare]]:
    """Every op in both precisions; the streaming ones at `elements` elements of x."""
    for dtype in (np.float32, np.float16):
        name = np.dtype(dtype).name
        yield f"LIF {name}", partial(_lif, dtype=dtype, elements=elements)
        yield f"LIF {name}, int8, 4 steps", partial(_lif_steps, dtype=dtype, elements=elements)
        for reduce, op in ((False, "TokenHalt"), (True, "TokenHaltSum")):
            yield f"{op} {name}", partial(_halt, dtype=dtype, elements=elements, reduce=reduce)
        for tokens, images in product(sizes.tokens, sizes.images):
            label = f"TokenMerge {name} [{images}, {tokens}, {WIDTH}]"
            yield label, partial(_merge, dtype=dtype, images=images, tokens=tokens)


def _lif(device: Device, dtype: Any, elements: int) -> Call:
    x = np.ones((elements // WIDTH, WIDTH), dtype)
    return calls.prepare_lif(device, x, x, decay=0.5, threshold=1.0, spike_type=dtype)


def _lif_steps(device: Device, dtype: Any, elements: int) -> Call:
    x = np.ones((4, elements // WIDTH // 4, WIDTH), dtype)
    return calls.prepare_lif(device, x, x[0], decay=0.5, threshold=1.0, spike_type=np.int8, steps=4)


def _halt(device: Device, dtype: Any, elements: int, reduce: bool) -> Call:
    x = np.ones((max(elements // WIDTH // 64, 1), 64, WIDTH), dtype)
    one, zero = np.ones(x.shape[:2], np.float32), np.zeros(x.shape[:2], np.float32)
    return calls.prepare_token_halt(
        device, x, one, zero, zero, one.astype(np.int32), np.array(0.01, np.float32),
        alpha=5.0, beta=-10.0, last=False, reduce=reduce,
    )  # fmt: skip


def _merge(device: Device, dtype: Any, images: int, tokens: int) -> Call:
    x = np.random.default_rng(0).integers(0, 8, (images, tokens, WIDTH)).astype(dtype)
    one = np.ones(x.shape[:2], np.float32)
    choose = np.array([[-1]], np.int32)
    return calls.prepare_token_merge(device, x, one, one.astype(np.int32), choose, gamma=25)
