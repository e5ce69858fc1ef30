"""The few functions of the CUDA driver that a TensorRT backend needs, through ctypes.

The driver library is there wherever a GPU works, on a desktop as on a Jetson; no CUDA toolkit and
no Python package is needed. Addresses are plain integers, as TensorRT takes them.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_ubyte, c_uint, c_uint64, c_void_p
from typing import Any, Protocol

from runtime.errors import BackendError, DeviceError, OutOfMemoryError

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"

OUT_OF_MEMORY = 2
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
THREAD_LOCAL_CAPTURE = 1
# After these the process's context on the GPU is lost: every later call fails in the same way.
LOST = frozenset({4, 46, 214, 220, 226, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721})

_HANDLE = POINTER(c_void_p)
_FUNCTIONS: dict[str, list[Any]] = {
    "cuInit": [c_uint],
    "cuDeviceGetCount": [POINTER(c_int)],
    "cuDeviceGet": [POINTER(c_int), c_int],
    "cuDeviceGetName": [c_char_p, c_int, c_int],
    "cuDeviceGetAttribute": [POINTER(c_int), c_int, c_int],
    "cuDevicePrimaryCtxRetain": [_HANDLE, c_int],
    "cuCtxSetCurrent": [c_void_p],
    "cuMemAlloc_v2": [POINTER(c_uint64), c_size_t],
    "cuMemFree_v2": [c_uint64],
    "cuMemsetD8Async": [c_uint64, c_ubyte, c_size_t, c_void_p],
    "cuMemHostAlloc": [_HANDLE, c_size_t, c_uint],
    "cuMemFreeHost": [c_void_p],
    "cuMemcpyHtoDAsync_v2": [c_uint64, c_void_p, c_size_t, c_void_p],
    "cuMemcpyDtoHAsync_v2": [c_void_p, c_uint64, c_size_t, c_void_p],
    "cuStreamCreate": [_HANDLE, c_uint],
    "cuStreamDestroy_v2": [c_void_p],
    "cuStreamSynchronize": [c_void_p],
    "cuStreamBeginCapture_v2": [c_void_p, c_int],
    "cuStreamEndCapture": [c_void_p, _HANDLE],
    "cuGraphInstantiateWithFlags": [_HANDLE, c_void_p, c_uint64],
    "cuGraphLaunch": [c_void_p, c_void_p],
    "cuGraphDestroy": [c_void_p],
    "cuGraphExecDestroy": [c_void_p],
    "cuGetErrorName": [c_int, POINTER(c_char_p)],
    "cuGetErrorString": [c_int, POINTER(c_char_p)],
}


class Cuda(Protocol):
    """What the TensorRT backends use of CUDA; addresses, streams and graphs are integers."""

    name: str
    compute_capability: str

    def make_current(self) -> None:
        """Use the GPU from the calling thread."""
        ...

    def allocate(self, size: int) -> int:
        """`size` bytes on the GPU, all zero."""
        ...

    def free(self, address: int) -> None:
        """Give device memory back."""
        ...

    def allocate_host(self, size: int) -> int:
        """`size` bytes of pinned host memory."""
        ...

    def free_host(self, address: int) -> None:
        """Give pinned memory back."""
        ...

    def create_stream(self) -> int:
        """A stream that does not wait for the default one."""
        ...

    def destroy_stream(self, stream: int) -> None:
        """Give the stream back."""
        ...

    def synchronize(self, stream: int) -> None:
        """Wait until the stream is empty; errors of what ran on it appear here."""
        ...

    def upload(self, device: int, host: int, size: int, stream: int) -> None:
        """Copy pinned host memory to the GPU, in stream order."""
        ...

    def download(self, host: int, device: int, size: int, stream: int) -> None:
        """Copy from the GPU to pinned host memory, in stream order."""
        ...

    def begin_capture(self, stream: int) -> None:
        """Record what the calling thread puts on the stream, instead of running it."""
        ...

    def end_capture(self, stream: int) -> int:
        """The recording, ready to be launched."""
        ...

    def launch(self, graph: int, stream: int) -> None:
        """Run a recording."""
        ...

    def destroy_graph(self, graph: int) -> None:
        """Give a recording back."""
        ...


class CudaDriver:
    """One GPU through the driver.

    Args:
        device: which one, from 0.
        library: the driver library's file.

    Raises:
        DeviceError: there is no driver, or no such GPU.
    """

    def __init__(self, device: int = 0, library: str = LIBRARY) -> None:
        self._library = _load(library)
        self._call("cuInit", 0)
        count, handle = c_int(), c_int()
        self._call("cuDeviceGetCount", byref(count))
        if not 0 <= device < count.value:
            raise DeviceError(f"there is no GPU number {device}: the driver reports {count.value}")
        self._call("cuDeviceGet", byref(handle), device)
        self.name = self._name(handle)
        self.compute_capability = ".".join(
            str(self._attribute(handle, which)) for which in (CAPABILITY_MAJOR, CAPABILITY_MINOR)
        )
        self._context = c_void_p()
        # The primary context is the one that TensorRT's runtime API uses too.
        self._call("cuDevicePrimaryCtxRetain", byref(self._context), handle)

    def make_current(self) -> None:
        """Use the GPU from the calling thread."""
        self._call("cuCtxSetCurrent", self._context)

    def allocate(self, size: int) -> int:
        """`size` bytes on the GPU, all zero."""
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), max(size, 1))
        self._call("cuMemsetD8Async", address, 0, max(size, 1), None)
        # Streams of ours do not wait for the default one.
        self._call("cuStreamSynchronize", None)
        return address.value

    def free(self, address: int) -> None:
        """Give device memory back."""
        self._call("cuMemFree_v2", address)

    def allocate_host(self, size: int) -> int:
        """`size` bytes of pinned host memory."""
        address = c_void_p()
        self._call("cuMemHostAlloc", byref(address), max(size, 1), 0)
        return address.value or 0

    def free_host(self, address: int) -> None:
        """Give pinned memory back."""
        self._call("cuMemFreeHost", address)

    def create_stream(self) -> int:
        """A stream that does not wait for the default one."""
        stream, non_blocking = c_void_p(), 1
        self._call("cuStreamCreate", byref(stream), non_blocking)
        return stream.value or 0

    def destroy_stream(self, stream: int) -> None:
        """Give the stream back."""
        self._call("cuStreamDestroy_v2", stream)

    def synchronize(self, stream: int) -> None:
        """Wait until the stream is empty; errors of what ran on it appear here."""
        self._call("cuStreamSynchronize", stream)

    def upload(self, device: int, host: int, size: int, stream: int) -> None:
        """Copy pinned host memory to the GPU, in stream order."""
        self._call("cuMemcpyHtoDAsync_v2", device, host, size, stream)

    def download(self, host: int, device: int, size: int, stream: int) -> None:
        """Copy from the GPU to pinned host memory, in stream order."""
        self._call("cuMemcpyDtoHAsync_v2", host, device, size, stream)

    def begin_capture(self, stream: int) -> None:
        """Record what the calling thread puts on the stream, instead of running it."""
        self._call("cuStreamBeginCapture_v2", stream, THREAD_LOCAL_CAPTURE)

    def end_capture(self, stream: int) -> int:
        """The recording, ready to be launched."""
        graph, ready = c_void_p(), c_void_p()
        self._call("cuStreamEndCapture", stream, byref(graph))
        try:
            self._call("cuGraphInstantiateWithFlags", byref(ready), graph, 0)
        finally:
            self._call("cuGraphDestroy", graph)
        return ready.value or 0

    def launch(self, graph: int, stream: int) -> None:
        """Run a recording."""
        self._call("cuGraphLaunch", graph, stream)

    def destroy_graph(self, graph: int) -> None:
        """Give a recording back."""
        self._call("cuGraphExecDestroy", graph)

    def _name(self, handle: c_int) -> str:
        text = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", text, len(text), handle)
        return text.value.decode(errors="replace")

    def _attribute(self, handle: c_int, which: int) -> int:
        value = c_int()
        self._call("cuDeviceGetAttribute", byref(value), which, handle)
        return value.value

    def _call(self, function: str, *arguments: object) -> None:
        code = int(getattr(self._library, function)(*arguments))
        if code != 0:
            raise cuda_error(function, code, self._describe(code))

    def _describe(self, code: int) -> str:
        name, text = c_char_p(), c_char_p()
        self._library.cuGetErrorName(code, byref(name))
        self._library.cuGetErrorString(code, byref(text))
        parts = [part.value.decode(errors="replace") for part in (name, text) if part.value]
        return ": ".join(parts) or f"error {code}"


def cuda_error(function: str, code: int, text: str) -> BackendError:
    """The exception for an error code of the driver."""
    if code == OUT_OF_MEMORY:
        return OutOfMemoryError(
            f"the GPU is out of memory ({function}): pass fewer images at once (max_batch=), or "
            "build engines for smaller batches (--batch)"
        )
    if code in LOST:
        return DeviceError(
            f"the GPU stopped working for this process ({function}: {text}): start a new process; "
            "if it happens again, check the driver's log"
        )
    if function in ("cuInit", "cuDeviceGetCount", "cuDevicePrimaryCtxRetain"):
        return DeviceError(f"there is no usable NVIDIA GPU ({function}: {text})")
    return BackendError(f"CUDA failed in {function}: {text}")


def _load(library: str) -> Any:
    try:
        loaded = ctypes.CDLL(library)
        for name, arguments in _FUNCTIONS.items():
            getattr(loaded, name).argtypes = arguments
    except OSError:
        raise DeviceError(f"there is no NVIDIA driver on this machine ({library})") from None
    except AttributeError as error:
        raise DeviceError(f"the NVIDIA driver is too old: update it ({error})") from error
    return loaded
