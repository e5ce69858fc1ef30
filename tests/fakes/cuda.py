"""A GPU made of host memory, with streams that run late and graphs that replay.

Nothing put on a stream happens before `synchronize`, every address must lie in memory that was
allocated and not freed, and a thread must have made the GPU current: what a real one would answer
with wrong numbers or a lost context is an exception here.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

from runtime.backends.cuda.driver import OUT_OF_MEMORY, cuda_error

Operation = Callable[[], None]
ILLEGAL_ADDRESS, INVALID_VALUE, CAPTURE_FAILED = 700, 1, 901


class FakeCuda:
    """See the module.

    Args:
        memory: bytes there are on the GPU.
        name: of the GPU.
        compute_capability: of the GPU.
    """

    def __init__(
        self, memory: int = 2**34, name: str = "Fake GPU", compute_capability: str = "8.6"
    ) -> None:
        self.name, self.compute_capability = name, compute_capability
        self.memory = memory
        self.device: dict[int, Any] = {}
        self.host: dict[int, Any] = {}
        self.streams: dict[int, list[Operation]] = {}
        self.graphs: dict[int, list[Operation]] = {}
        self.launched: list[int] = []
        self.uploaded: list[int] = []
        self.downloaded: list[int] = []
        self.lost = False
        self.can_capture = True
        self._capture: list[Operation] | None = None
        self._handles = iter(range(1, 10**9))
        self._current = threading.local()

    def make_current(self) -> None:
        self._current.yes = True

    def allocate(self, size: int) -> int:
        self._alive("cuMemAlloc_v2")
        if size + sum(len(block) for block in self.device.values()) > self.memory:
            raise cuda_error("cuMemAlloc_v2", OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY")
        return _allocated(self.device, size)

    def free(self, address: int) -> None:
        self._alive("cuMemFree_v2")
        del self.device[address]

    def allocate_host(self, size: int) -> int:
        self._alive("cuMemHostAlloc")
        return _allocated(self.host, size)

    def free_host(self, address: int) -> None:
        self._alive("cuMemFreeHost")
        del self.host[address]

    def create_stream(self) -> int:
        self._alive("cuStreamCreate")
        stream = next(self._handles)
        self.streams[stream] = []
        return stream

    def destroy_stream(self, stream: int) -> None:
        self._alive("cuStreamDestroy_v2")
        del self.streams[stream]

    def synchronize(self, stream: int) -> None:
        self._alive("cuStreamSynchronize")
        assert self._capture is None, "a stream that is being captured cannot be waited for"
        work, self.streams[stream] = self.streams[stream], []
        for operation in work:
            operation()
            self._alive("cuStreamSynchronize")

    def upload(self, device: int, host: int, size: int, stream: int) -> None:
        self.enqueue(stream, lambda: self._copy(device, host, size, self.uploaded))

    def download(self, host: int, device: int, size: int, stream: int) -> None:
        self.enqueue(stream, lambda: self._copy(host, device, size, self.downloaded))

    def begin_capture(self, stream: int) -> None:
        self._alive("cuStreamBeginCapture_v2")
        self._capture = []

    def end_capture(self, stream: int) -> int:
        operations, self._capture = self._capture, None
        if not self.can_capture:
            raise cuda_error("cuStreamEndCapture", CAPTURE_FAILED, "CAPTURE_INVALIDATED")
        graph = next(self._handles)
        assert operations is not None
        self.graphs[graph] = operations
        return graph

    def launch(self, graph: int, stream: int) -> None:
        self._alive("cuGraphLaunch")
        self.launched.append(graph)
        self.streams[stream].extend(self.graphs[graph])

    def destroy_graph(self, graph: int) -> None:
        del self.graphs[graph]

    # What the fake TensorRT uses.

    @property
    def capturing(self) -> bool:
        """Whether launches are recorded instead of run."""
        return self._capture is not None

    def enqueue(self, stream: int, operation: Operation) -> None:
        """Put work on a stream, or into the graph being captured."""
        self._alive("cuLaunchKernel")
        if self._capture is not None:
            self._capture.append(operation)
        else:
            self.streams[stream].append(operation)

    def check(self, address: int, size: int) -> None:
        """Lose the context if the bytes are not allocated."""
        for start, block in (*self.device.items(), *self.host.items()):
            if start <= address and address + size <= start + len(block):
                return
        self.lost = True
        self._alive("cuLaunchKernel")

    def is_empty(self) -> bool:
        """Whether everything was given back."""
        return not (self.device or self.host or self.streams or self.graphs)

    def _copy(self, target: int, source: int, size: int, log: list[int]) -> None:
        self.check(target, size)
        self.check(source, size)
        ctypes.memmove(target, source, size)
        log.append(size)

    def _alive(self, function: str) -> None:
        assert getattr(self._current, "yes", False), "this thread has not made the GPU current"
        if self.lost:
            raise cuda_error(function, ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS")


def _allocated(blocks: dict[int, Any], size: int) -> int:
    block = ctypes.create_string_buffer(max(size, 1))
    address = ctypes.addressof(block)
    blocks[address] = block
    return address
