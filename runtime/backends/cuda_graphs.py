"""CUDA graphs of launches that come again: captured at the second time, replayed from then on."""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable

from runtime.backends.cuda_driver import Cuda
from runtime.errors import BackendError, DeviceError, OutOfMemoryError

logger = logging.getLogger(__name__)

MOST_GRAPHS = 64


class GraphCache:
    """Replays what a launch put on the stream, as long as its key says nothing changed.

    A graph freezes shapes and addresses, so both must be in the key. The first launch of a key runs
    as it is: the library sets itself up for new shapes then, which cannot be captured.

    Args:
        cuda: the GPU.
        stream: what launches go to.
        enabled: False runs every launch as it is.
    """

    def __init__(self, cuda: Cuda, stream: int, enabled: bool) -> None:
        self._cuda, self._stream = cuda, stream
        self.enabled = enabled
        self._graphs: OrderedDict[Hashable, int | None] = OrderedDict()

    def run(self, key: Hashable, launch: Callable[[], None]) -> None:
        """Put a launch on the stream.

        Args:
            key: equal keys launch the same work on the same addresses.
            launch: puts the work on the stream; called once or not at all.

        Raises:
            BackendError: the launch, its capture or its replay failed.
        """
        if not self.enabled:
            launch()
        elif key not in self._graphs:
            launch()
            self._remember(key, None)
        else:
            graph = self._graphs[key]
            if graph is None:
                graph = self._capture(launch)
            if graph is None:  # cannot be captured: nothing ran
                launch()
                return
            self._remember(key, graph)
            self._cuda.launch(graph, self._stream)

    def close(self) -> None:
        """Give the graphs back."""
        while self._graphs:
            self._drop(self._graphs.popitem()[1])

    def _capture(self, launch: Callable[[], None]) -> int | None:
        """The launch as a graph; None, and no more attempts, if it cannot be one."""
        try:
            return self._captured(launch)
        except (DeviceError, OutOfMemoryError):
            raise
        except BackendError as error:
            logger.warning("running without CUDA graphs: %s", error)
            self.enabled = False
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

    def _remember(self, key: Hashable, graph: int | None) -> None:
        self._graphs[key] = graph
        self._graphs.move_to_end(key)
        if len(self._graphs) > MOST_GRAPHS:
            self._drop(self._graphs.popitem(last=False)[1])

    def _drop(self, graph: int | None) -> None:
        if graph is not None:
            self._cuda.destroy_graph(graph)
