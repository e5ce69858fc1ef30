"""The session that the TensorRT and TensorRT-RTX backends share.

States stay on the GPU: every chunk reads one set of buffers and writes another (ping-pong), and the
handle given out is a lease on the set it wrote.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from runtime.backends import ports as graph_io
from runtime.backends.base import BackendInfo, ChunkOutputs, Inputs, SessionOptions, refuse_closed
from runtime.backends.contract import wire
from runtime.backends.cuda.driver import Cuda
from runtime.backends.cuda.memory import StateLease, StatePool, StateSet
from runtime.backends.tensorrt.engine import TensorRTEngine
from runtime.backends.tensorrt.graph import TensorRTGraph
from runtime.backends.tensorrt.kernel_cache import KernelCache
from runtime.bundle import NEXT_GRAPH, Bundle
from runtime.bundle.engine_manifest import TITLES, EnginePair, EngineSidecar
from runtime.errors import BackendError, DeviceError

logger = logging.getLogger(__name__)

Prepare = Callable[[bytes, str, EngineSidecar], None]
Values = dict[str, NDArray[Any]]
Watch = Callable[[Values], None]


@dataclass(frozen=True)
class Platform:
    """A library and a GPU, ready to run the engines of one bundle.

    Attributes:
        trt: the module.
        cuda: the GPU.
        pair: engines that fit both.
        prepare: looks at a plan before it is loaded and raises a BackendError if it cannot run.
        compiles: the library compiles kernels when it runs, and replays CUDA graphs of its own; the
            kernels are kept for the next process.
    """

    trt: ModuleType
    cuda: Cuda
    pair: EnginePair
    prepare: Prepare = lambda plan, name, sidecar: None
    compiles: bool = False


class TensorRTSession:
    """Both engines of a bundle on one GPU; `run` may be called from several threads.

    Args:
        bundle: an opened bundle.
        platform: library, GPU and engines.
        options: of these, only the device matters on a GPU.
        reason: why this backend was chosen, for `info`.

    Raises:
        BundleFormatError: the engines do not follow the graphs' contract.
        BackendError: the library refuses an engine, or the GPU has no room.
    """

    def __init__(
        self, bundle: Bundle, platform: Platform, options: SessionOptions, reason: str = ""
    ) -> None:
        self._lock = threading.Lock()
        self._cuda, self._broken = platform.cuda, ""
        self._closed = False
        self._graphs: list[TensorRTGraph] = []
        self._states: StatePool | None = None
        self._cuda.make_current()
        self._stream = self._cuda.create_stream()
        try:
            engines = [self._load(bundle, platform, each) for each in _members(platform.pair)]
            following = engines[1].ports if len(engines) > 1 else None
            wire(bundle.manifest, engines[0].ports, following)
            self._states = StatePool(self._cuda, self._graphs[-1].state_sizes())
        except BaseException:
            self.close()
            raise
        self._masks = (
            graph_io.live_masks(bundle.manifest.blocks) if bundle.manifest.live_masks else ()
        )
        self._instrumented = bundle.manifest.instrumented
        self.watch: Watch | None = None  # sees every output of every chunk, for comparisons
        self.info = _describe(platform, reason)

    def run(self, inputs: Inputs, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        """Run one chunk; see `runtime.backends.base.Session.run`."""
        with self._lock:
            self._refuse_unusable()
            try:
                self._cuda.make_current()
                return self._run(inputs, states, last=last, masks=masks)
            except DeviceError as error:
                self._broken = str(error)
                raise

    def close(self) -> None:
        """Free engines, buffers and the stream."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._cuda.make_current()
                self._free()
            except BackendError as error:  # a GPU that is gone has nothing to give back
                logger.debug("freeing a lost GPU: %s", error)

    def _run(
        self, inputs: Inputs, lease: StateLease | None, *, last: bool, masks: bool
    ) -> ChunkOutputs:
        graph = self._graphs[0 if lease is None else -1]
        if lease is not None and len(self._graphs) == 1:
            raise BackendError(f"{NEXT_GRAPH} does not exist: the first chunk runs all timesteps")
        pool = self._pool()
        before = _taken(lease)
        after = pool.take()
        try:
            images = _images(inputs)
            values = graph.run(inputs, images, before, after)
        except BaseException:
            pool.give_back(after)
            raise
        finally:
            if before is not None:
                pool.give_back(before)
        handle = StateLease(after, pool.give_back, images)
        return self._outputs(values, None if last else handle, masks)

    def _outputs(self, values: Values, handle: StateLease | None, masks: bool) -> ChunkOutputs:
        if self.watch is not None:
            self.watch(values)
        return ChunkOutputs(
            logits=values[graph_io.LOGITS],
            halt_score=values[graph_io.HALT_SCORE],
            live_tokens=values[graph_io.LIVE_TOKENS],
            live_masks=tuple(values[name] for name in self._masks) if masks else (),
            mac_ops=values[graph_io.MAC_OPS] if self._instrumented else None,
            ac_ops=values[graph_io.AC_OPS] if self._instrumented else None,
            states=handle,
        )

    def _load(
        self, bundle: Bundle, platform: Platform, member: tuple[str, EngineSidecar]
    ) -> TensorRTEngine:
        name, sidecar = member
        plan = bundle.read(name)
        platform.prepare(plan, name, sidecar)
        engine = TensorRTEngine(
            platform.trt,
            f"{TITLES[sidecar.flavour]} {platform.trt.__version__}",
            name,
            plan,
            host_code=sidecar.version_compatible,
            kernels=KernelCache(plan) if platform.compiles else None,
        )
        graphs = not platform.compiles  # else the library replays its own
        self._graphs.append(
            TensorRTGraph(engine, sidecar, self._cuda, self._stream, use_graphs=graphs)
        )
        return engine

    def _pool(self) -> StatePool:
        assert self._states is not None  # __init__ made it
        return self._states

    def _refuse_unusable(self) -> None:
        refuse_closed(self._closed)
        if self._broken:
            raise DeviceError(self._broken)

    def _free(self) -> None:
        for graph in self._graphs:
            graph.close()
        if self._states is not None:
            self._states.close()
        self._cuda.destroy_stream(self._stream)


def _members(pair: EnginePair) -> list[tuple[str, EngineSidecar]]:
    return [pair.first] if pair.next is None else [pair.first, pair.next]


def _taken(lease: StateLease | None) -> StateSet | None:
    """The lease's set.

    Raises:
        BackendError: it was used before.
    """
    if lease is None:
        return None
    states = lease.take()
    if states is None:
        raise BackendError("these states were used before: every handle is good for one chunk")
    return states


def _images(inputs: Inputs) -> int:
    """Number of images: the length of whatever has one row per image."""
    names = (graph_io.ALIVE, graph_io.IMAGE, graph_io.FRAMES)
    return len(next(inputs[name] for name in names if name in inputs))


def _describe(platform: Platform, reason: str) -> BackendInfo:
    name, sidecar = platform.pair.first
    return BackendInfo(
        name=sidecar.flavour,
        version=platform.trt.__version__,
        device=platform.cuda.name,
        reason=reason,
        options={
            "engine": name,
            "batch": ":".join(map(str, sidecar.batch)),
            "plugins": bool(sidecar.plugins),
        },
        max_batch=sidecar.batch[2],
    )
