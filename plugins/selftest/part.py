"""What an op's folder adds to the self-test: its kernels' signatures, cases and timings."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from plugins.common.types import Array
from plugins.selftest.calls import Call
from plugins.selftest.device import Device
from plugins.selftest.kernels import Signature

WIDTH: Final = 384
"""D of the measured tensors: that of a small vision transformer."""

Outputs = tuple[Array, ...]
Prepare = Callable[[Device], Call]


@dataclass(frozen=True)
class Case:
    """One comparison of a kernel with its reference.

    Args:
        op: the op's name.
        label: sizes and types, for the reader of a failure.
        prepare: makes the launch on a device.
        reference: computes the same in numpy.
        tolerance: largest difference allowed; 0 means bit for bit.
    """

    op: str
    label: str
    prepare: Callable[[Device], Call]
    reference: Callable[[], Outputs]
    tolerance: float


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

    @property
    def elements(self) -> int:
        """Elements of x for the streaming ops."""
        return self.megabytes * (1 << 20) // 4


@dataclass(frozen=True)
class Part:
    """The self-test of the kernels in one folder, which exports it as `PART` in `selftest.py`.

    Attributes:
        structures: by their name in C. They repeat the folder's `*_kernel.h` field by field; a
            test compares sizes and offsets with what a compiler makes of the header.
        functions: what the header declares, by name.
        cases: takes a generator, K, D and the dtype of x; gives comparisons with the reference.
        timings: takes the dtype of x and the sizes; gives launches to time, by a name that starts
            with the op.
    """

    structures: Mapping[str, type[ctypes.Structure]]
    functions: Mapping[str, Signature]
    cases: Callable[[np.random.Generator, int, int, Any], Iterator[Case]]
    timings: Callable[[Any, Sizes], Iterator[tuple[str, Prepare]]]
