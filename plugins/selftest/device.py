"""Device memory, launches and timing, through the kernels library alone."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_float, c_int32, c_void_p
from types import TracebackType

import numpy as np
import numpy.typing as npt

from plugins.common.types import Array
from plugins.errors import KernelError, NoDeviceError
from plugins.selftest.kernels import Kernels

Launch = Callable[[], None]


class Buffer:
    """An array on the device.

    Args:
        kernels: the library that owns the memory.
        shape: shape of the array.
        dtype: element type.
    """

    def __init__(self, kernels: Kernels, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.bytes = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        self.pointer = c_void_p()
        self._kernels = kernels
        # CUDA gives a null pointer for no bytes; kernels take that for a missing tensor.
        kernels.call("spikehaltAllocate", byref(self.pointer), max(self.bytes, 1))

    def upload(self, array: Array) -> Buffer:
        """Fill the buffer from a host array of the same type and size."""
        host = np.ascontiguousarray(array, dtype=self.dtype)
        self._kernels.call("spikehaltUpload", self.pointer, host.ctypes.data, self.bytes)
        return self

    def download(self) -> Array:
        """Return the buffer's content as a host array."""
        host = np.empty(self.shape, self.dtype)
        self._kernels.call("spikehaltDownload", host.ctypes.data, self.pointer, self.bytes)
        return host

    def free(self) -> None:
        """Give the memory back; the buffer is of no use afterwards."""
        self._kernels.call("spikehaltFree", self.pointer)
        self.pointer = c_void_p()


class Device:
    """The current GPU: its name, one stream, and all buffers made through it.

    Use it as a context manager; leaving it frees the buffers and the stream.

    Args:
        kernels: the kernels library.

    Raises:
        NoDeviceError: the machine has no usable NVIDIA GPU.
    """

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels
        self.name, self.capability = _identify(kernels)
        self.stream = c_void_p()
        kernels.call("spikehaltStreamCreate", byref(self.stream))
        self._buffers: list[Buffer] = []

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._free_after(0)
        self.kernels.call("spikehaltStreamDestroy", self.stream)

    def array(self, array: Array) -> Buffer:
        """Copy a host array to the device."""
        return self.empty(array.shape, array.dtype).upload(array)

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Buffer:
        """Uninitialised memory on the device."""
        self._buffers.append(Buffer(self.kernels, shape, dtype))
        return self._buffers[-1]

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Free the buffers made inside at the end."""
        count = len(self._buffers)
        try:
            yield
        finally:
            self._free_after(count)

    def synchronize(self) -> None:
        """Wait for all launches; an error of one of them is raised here."""
        self.kernels.call("spikehaltStreamSynchronize", self.stream)

    def copy(self, target: Buffer, source: Buffer) -> None:
        """Copy on the device, in order with the launches."""
        self.kernels.call(
            "spikehaltCopy", target.pointer, source.pointer, source.bytes, self.stream
        )

    def time_ms(self, launch: Launch, runs: int) -> float:
        """Mean milliseconds of `launch`, `runs` times in one CUDA graph that ran once before.

        The graph keeps the host's launch times out, and proves that the launch neither allocates
        nor waits for the host.
        """
        graph, milliseconds = c_void_p(), c_float()
        self.kernels.call("spikehaltCaptureBegin", self.stream)
        try:
            for _ in range(runs):
                launch()
        finally:
            self.kernels.call("spikehaltCaptureEnd", self.stream, byref(graph))
        try:
            self.kernels.call("spikehaltGraphTime", graph, self.stream, 1, byref(milliseconds))
        finally:
            self.kernels.call("spikehaltGraphDestroy", graph)
        return milliseconds.value / runs

    def _free_after(self, count: int) -> None:
        while len(self._buffers) > count:
            self._buffers.pop().free()


def require_driver() -> None:
    """Raise `NoDeviceError` where not even the NVIDIA driver's library is installed."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise NoDeviceError(
            "There is no NVIDIA GPU to run on: this machine has no NVIDIA driver (libcuda.so.1)."
        ) from error


def _identify(kernels: Kernels) -> tuple[str, tuple[int, int]]:
    """Name and compute capability of the current GPU."""
    count, major, minor = c_int32(), c_int32(), c_int32()
    try:
        kernels.call("spikehaltDeviceCount", byref(count))
    except KernelError as error:
        raise NoDeviceError(
            f"There is no usable NVIDIA GPU on this machine ({error}) "
            "Run this where nvidia-smi (on a Jetson: tegrastats) shows one."
        ) from error
    if count.value < 1:
        raise NoDeviceError("The CUDA driver reports no GPU; CUDA_VISIBLE_DEVICES may hide it.")
    name = ctypes.create_string_buffer(256)
    kernels.call("spikehaltDeviceName", name, len(name), byref(major), byref(minor))
    return name.value.decode(errors="replace"), (major.value, minor.value)
