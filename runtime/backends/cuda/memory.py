"""Memory on the GPU and pinned memory on the host, given back when closed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from runtime.backends.cuda.driver import Cuda

Shape = tuple[int, ...]


def byte_count(shape: Shape, dtype: DTypeLike) -> int:
    """Bytes of an array."""
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


class Staged:
    """A tensor that passes between host and GPU: pinned memory here, a buffer there.

    Both have their largest size and fixed addresses, so that a CUDA graph can hold the copy.

    Args:
        cuda: the GPU.
        largest: shape at its largest.
        dtype: element type.
    """

    def __init__(self, cuda: Cuda, largest: Shape, dtype: DTypeLike) -> None:
        self._cuda, self.dtype = cuda, np.dtype(dtype)
        self.bytes = byte_count(largest, dtype)
        self.device = cuda.allocate(self.bytes)
        try:
            self._host = cuda.allocate_host(self.bytes)
        except BaseException:
            cuda.free(self.device)
            raise

    def view(self, shape: Shape) -> NDArray[Any]:
        """The pinned memory as an array; valid until `free`."""
        size = byte_count(shape, self.dtype)
        raw = (ctypes.c_ubyte * size).from_address(self._host)
        return np.ndarray(shape, self.dtype, memoryview(raw))

    def fill(self, array: NDArray[Any], shape: Shape, padding: int) -> None:
        """Write `array` into the first rows of the pinned memory, `padding` into the others."""
        view = self.view(shape)
        if shape == array.shape:
            view[...] = array
            return
        view[: len(array)] = array
        view[len(array) :] = padding

    def upload(self, shape: Shape, stream: int) -> None:
        """Put the copy to the GPU on the stream."""
        size = byte_count(shape, self.dtype)
        if size:
            self._cuda.upload(self.device, self._host, size, stream)

    def download(self, shape: Shape, stream: int) -> None:
        """Put the copy from the GPU on the stream."""
        size = byte_count(shape, self.dtype)
        if size:
            self._cuda.download(self._host, self.device, size, stream)

    def free(self) -> None:
        """Give both back."""
        self._cuda.free(self.device)
        self._cuda.free_host(self._host)


class StateSet:
    """Buffers for every state of one batch at one exit point.

    Args:
        cuda: the GPU.
        sizes: bytes per state at its largest.
        number: tells sets apart.
    """

    def __init__(self, cuda: Cuda, sizes: dict[str, int], number: int) -> None:
        self.number = number
        self._cuda = cuda
        self.addresses: dict[str, int] = {}
        try:
            for name, size in sizes.items():
                self.addresses[name] = cuda.allocate(size)
        except BaseException:
            self.free()
            raise

    def free(self) -> None:
        """Give the buffers back."""
        for address in self.addresses.values():
            self._cuda.free(address)
        self.addresses = {}


class StatePool:
    """State sets that are free; a batch ping-pongs between two of them.

    Args:
        cuda: the GPU.
        sizes: bytes per state at its largest.
    """

    def __init__(self, cuda: Cuda, sizes: dict[str, int]) -> None:
        self._cuda, self._sizes = cuda, sizes
        self._free: list[StateSet] = []
        self._made = 0
        self._closed = False

    def take(self) -> StateSet:
        """A set nobody uses; its contents are whatever was there."""
        if self._free:
            return self._free.pop()
        self._made += 1
        return StateSet(self._cuda, self._sizes, self._made)

    def give_back(self, states: StateSet) -> None:
        """Let others have a set; callable from any thread, also from a destructor."""
        if self._closed:
            self._cuda.make_current()
            states.free()
        else:
            self._free.append(states)

    def close(self) -> None:
        """Free all sets; those still out are freed when they come back."""
        self._closed = True
        while self._free:
            self._free.pop().free()


class StateLease:
    """A handle on a set: gives it back when used, or when forgotten.

    Args:
        states: the set.
        give_back: takes it.
        images: rows that are in it.
    """

    def __init__(
        self, states: StateSet, give_back: Callable[[StateSet], None], images: int
    ) -> None:
        self.images = images
        self._states: StateSet | None = states
        self._give_back = give_back

    def take(self) -> StateSet | None:
        """The set, now the caller's; None if it was taken before."""
        states, self._states = self._states, None
        return states

    def __del__(self) -> None:
        states = self.take()
        if states is not None:
            self._give_back(states)
