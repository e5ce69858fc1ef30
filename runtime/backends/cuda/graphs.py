"""CUDA graphs of launches that come again: captured at the third time, replayed from then on."""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from runtime.backends.cuda.driver import Cuda
from runtime.errors import BackendError, DeviceError

logger = logging.getLogger(__name__)

MOST_GRAPHS = 64


@dataclass
class _Entry:
    """What a key has: a context of its own once it came again, then a graph captured from that."""

    context: Any = None
    graph: int | None = None


class GraphCache:
    """Replays what a launch put on the stream, as long as its key says nothing changed.

    A graph freezes shapes and addresses, so both must be in the key. TensorRT keeps state of the
    last shapes in an execution context: a graph is valid only while its context runs nothing else,
    and a context must have run its shapes once before it is captured. So a key's first launch uses
    a context that others use too, the second one of its own, and the third is captured from that.

    Args:
        cuda: the GPU.
        stream: what launches go to.
        enabled: False runs every launch as it is.
    """

    def __init__(self, cuda: Cuda, stream: int, enabled: bool) -> None:
        self._cuda, self._stream = cuda, stream
        self.enabled = enabled
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def run(
        self,
        key: Hashable,
        launch: Callable[[Any], None],
        shared: Any,
        make_own: Callable[[], Any],
    ) -> None:
        """Put a launch on the stream.

        Args:
            key: equal keys launch the same work on the same addresses.
            launch: puts the work on the stream, from the context it is given; called once or not at
                all.
            shared: a context for launches that are not replayed.
            make_own: makes a context for this key alone.

        Raises:
            BackendError: the launch, its capture or its replay failed.
        """
        entry = self._entry(key) if self.enabled else None
        if entry is None:
            launch(shared)
        elif entry.context is None:
            own = self._tried(make_own)
            launch(shared if own is None else own)
            entry.context = own
        else:
            if entry.graph is None:
                entry.graph = self._tried(lambda: self._captured(lambda: launch(entry.context)))
            if entry.graph is None:  # cannot be captured: nothing ran
                launch(shared)
            else:
                self._cuda.launch(entry.graph, self._stream)

    def close(self) -> None:
        """Give the graphs back, and then their contexts."""
        while self._entries:
            self._drop(self._entries.popitem()[1])

    def _entry(self, key: Hashable) -> _Entry | None:
        """What the key has; None, and something from now on, if it is new."""
        found = self._entries.get(key)
        self._entries[key] = found or _Entry()
        self._entries.move_to_end(key)
        if len(self._entries) > MOST_GRAPHS:
            self._drop(self._entries.popitem(last=False)[1])
        return found

    def _tried(self, make: Callable[[], Any]) -> Any:
        """What replaying needs; None, and no more attempts, if the library refuses it."""
        try:
            return make()
        except DeviceError:
            raise
        except BackendError as error:
            logger.warning("running without CUDA graphs: %s", error)
            self.enabled = False
            self.close()
            return None

    def _captured(self, launch: Callable[[], None]) -> int:
        self._cuda.begin_capture(self._stream)
        try:
            launch()
        except BackendError:
            self._abandon()
            raise
        return self._cuda.end_capture(self._stream)

    def _abandon(self) -> None:
        """End a capture that failed, so that the stream can be used again."""
        with contextlib.suppress(BackendError):
            self._cuda.destroy_graph(self._cuda.end_capture(self._stream))

    def _drop(self, entry: _Entry) -> None:
        if entry.graph is not None:
            self._cuda.destroy_graph(entry.graph)
        entry.context = entry.graph = None
