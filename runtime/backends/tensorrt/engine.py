"""An engine file loaded by TensorRT or TensorRT-RTX: its tensors and contexts."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from runtime.backends.cuda.memory import Shape
from runtime.backends.facts import Facts
from runtime.backends.ports import Ports
from runtime.backends.tensorrt.kernel_cache import KernelCache
from runtime.backends.tensorrt.log import MessageLog
from runtime.errors import BackendError, OutOfMemoryError

_DTYPES: dict[str, Any] = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT64": np.int64,
    "INT32": np.int32,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
}
_MEMORY_WORDS = ("out of memory", "outofmemory", "memory allocation", "insufficient memory")


@dataclass(frozen=True)
class Tensor:
    """An input or output of an engine.

    Attributes:
        name: of the tensor.
        is_input: whether it goes in.
        dtype: numpy type.
        dims: shape, -1 where it is free.
    """

    name: str
    is_input: bool
    dtype: Any
    dims: Shape

    @property
    def is_free(self) -> bool:
        """Whether its shape must be set."""
        return -1 in self.dims


class TensorRTEngine:
    """An engine, ready to make contexts.

    Args:
        trt: the module.
        title: what to call the library, such as "TensorRT 10.13.3.9".
        name: of the plan file, for messages.
        plan: its contents.
        host_code: the plan holds code that runs on the host (version-compatible engines do).
        kernels: TensorRT-RTX's compiled kernels, None for TensorRT.

    Raises:
        BackendError: the library refuses the plan, in its own words.
    """

    def __init__(
        self,
        trt: ModuleType,
        title: str,
        name: str,
        plan: bytes,
        *,
        host_code: bool = False,
        kernels: KernelCache | None = None,
    ) -> None:
        self._trt, self._title, self._name = trt, title, name
        self._kernels = kernels
        self._log = MessageLog(trt)
        self._runtime = self._start()
        if host_code:
            self._runtime.engine_host_code_allowed = True
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise self._failed(f"cannot load {name}")
        self.tensors = {tensor.name: tensor for tensor in map(self._tensor, self._names())}

    @property
    def ports(self) -> Ports:
        """Names the engine declares."""
        inputs = [tensor.name for tensor in self.tensors.values() if tensor.is_input]
        outputs = {tensor.name for tensor in self.tensors.values() if not tensor.is_input}
        sizes = {
            tensor.name: tuple(None if size < 0 else size for size in tensor.dims)
            for tensor in self.tensors.values()
        }
        types = {tensor.name: np.dtype(tensor.dtype).name for tensor in self.tensors.values()}
        return Ports(inputs, outputs, Facts(shapes=sizes, types=types))

    @property
    def scratch_bytes(self) -> int:
        """Scratch memory that a context is given; 0: TensorRT-RTX's contexts bring their own."""
        return 0 if self._kernels is not None else int(self._engine.device_memory_size_v2)

    def context(self, profile: int, stream: int, scratch: int) -> Any:
        """A new execution context for one optimization profile.

        Args:
            profile: its number.
            stream: what it will run on.
            scratch: address of `scratch_bytes`, which nothing else uses while the context runs.

        Raises:
            OutOfMemoryError: the GPU has no room for it.
            BackendError: the library refuses.
        """
        context = self._engine.create_execution_context(self._how_to_run())
        if context is None:
            raise self._failed(f"cannot make an execution context of {self._name}")
        if self._kernels is None:
            context.set_device_memory(scratch, self.scratch_bytes)
        # Engines carry the names of their layers for profilers; telling them costs time.
        context.nvtx_verbosity = self._trt.ProfilingVerbosity.NONE
        if profile:
            self._use_profile(context, profile, stream)
        return context

    def _how_to_run(self) -> Any:
        """What a context is made with: TensorRT's gets scratch memory, TensorRT-RTX's gets kernels.

        TensorRT-RTX swaps kernels while it runs. A CUDA graph captured from outside would not see
        that, so the library captures its own.
        """
        if self._kernels is None:
            return self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        config = self._kernels.configure(self._engine)
        config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        return config

    def _use_profile(self, context: Any, profile: int, stream: int) -> None:
        problem = f"cannot use profile {profile} of {self._name}"
        try:
            done = context.set_optimization_profile_async(profile, stream)
        except RuntimeError as error:  # what False becomes in its bindings
            raise self._failed(problem) from error
        if not done:
            raise self._failed(problem)

    def check(self, done: bool, doing: str) -> None:
        """Raise with the library's own words unless `done`."""
        if not done:
            raise self._failed(f"failed while {doing} of {self._name}")

    def close(self) -> None:
        """Forget the engine; the library frees it."""
        if self._kernels is not None:
            self._kernels.save()
        self._engine = self._runtime = None

    def _start(self) -> Any:
        try:
            return self._trt.Runtime(self._log.logger)
        except (TypeError, RuntimeError) as error:  # what a null pointer becomes in its bindings
            raise self._failed(f"cannot start ({error})") from error

    def _names(self) -> list[str]:
        return [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]

    def _tensor(self, name: str) -> Tensor:
        engine = self._engine
        kind = engine.get_tensor_dtype(name).name
        if kind not in _DTYPES:
            raise BackendError(f"{self._name}: tensor {name} has type {kind}, which no graph has")
        is_input = engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT
        return Tensor(name, is_input, _DTYPES[kind], tuple(engine.get_tensor_shape(name)))

    def _failed(self, what: str) -> BackendError:
        reasons = self._log.reasons()
        text = f"{self._title} {what}: {reasons}"
        if any(word in reasons.lower() for word in _MEMORY_WORDS):
            return OutOfMemoryError(f"{text}: pass fewer images at once (max_batch=)")
        return BackendError(text)
