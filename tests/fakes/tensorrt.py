"""TensorRT as far as this project uses it, in Python: parses ONNX, "builds" plans, runs them.

A plan holds the graph, and running it runs the graph in ONNX Runtime on the memory of a `FakeCuda`.
`make_module` gives a module for a version; what its parser prefers, a plugin or a function body of
the same name, depends on the version as it does in TensorRT. A test compares the names offered here
with those of the real libraries.
"""

from __future__ import annotations

import ctypes
import enum
import json
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime

import plugins
from tests.fakes.cuda import FakeCuda

MAGIC = b"fake-plan "
LIBRARY_MARK = b"fake plugin library "
OPS = ("LIF", "TokenHalt", "TokenHaltSum", "TokenMerge", "TokenMergeSimilar")
NUMPY = {
    "FLOAT": np.float32, "HALF": np.float16, "INT32": np.int32, "INT64": np.int64,
    "INT8": np.int8, "UINT8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip
ONNX_TYPES = {1: "FLOAT", 10: "HALF", 6: "INT32", 7: "INT64", 3: "INT8", 2: "UINT8", 9: "BOOL"}


@dataclass
class World:
    """What a test sets and sees.

    Attributes:
        cuda: the GPU; None: there is none.
        calls: what the library was asked, in order.
        refuse_build: the builder's complaint, if it is to refuse.
        refuse_enqueue: likewise for running.
        registry: creators by (name, version, namespace).
    """

    cuda: FakeCuda | None
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    refuse_build: str = ""
    refuse_enqueue: str = ""
    registry: dict[tuple[str, str, str], object] = field(default_factory=dict)


class LayerType(enum.Enum):
    ELEMENTWISE = 0
    PLUGIN_V3 = 1


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(enum.Enum):
    TF32 = 0
    VERSION_COMPATIBLE = 1


class HardwareCompatibilityLevel(enum.Enum):
    NONE = 0
    AMPERE_PLUS = 1


class ProfilingVerbosity(enum.Enum):
    LAYER_NAMES_ONLY = 0
    NONE = 1
    DETAILED = 2


class ExecutionContextAllocationStrategy(enum.Enum):
    STATIC = 0
    USER_MANAGED = 2


class CudaGraphStrategy(enum.Enum):
    DISABLED = 0
    WHOLE_GRAPH_CAPTURE = 1


class ComputeCapability(enum.Enum):
    NONE = 0
    CURRENT = 1
    SM75 = 75
    SM86 = 86
    SM89 = 89


class EngineValidity(enum.Enum):
    VALID = 0
    SUBOPTIMAL = 1
    INVALID = 2


class EngineInvalidityDiagnostics(enum.IntFlag):
    VERSION_MISMATCH = 1
    UNSUPPORTED_CC = 2


DataType = enum.Enum("DataType", list(NUMPY))


class ILogger:
    """Base of loggers."""

    INTERNAL_ERROR, ERROR, WARNING = 0, 1, 2

    def __init__(self) -> None:
        pass


def make_module(world: World, version: str = "10.13.3.9", name: str = "tensorrt") -> ModuleType:
    """The module."""
    module: Any = ModuleType(name)
    module.__version__ = version
    for each in (
        LayerType, TensorIOMode, MemoryPoolType, NetworkDefinitionCreationFlag, BuilderFlag,
        HardwareCompatibilityLevel, ProfilingVerbosity, DataType, ILogger,
        ExecutionContextAllocationStrategy,
    ):  # fmt: skip
        setattr(module, each.__name__, each)
    if name == "tensorrt_rtx":
        for each in (
            ComputeCapability, EngineValidity, EngineInvalidityDiagnostics, CudaGraphStrategy,
        ):  # fmt: skip
            setattr(module, each.__name__, each)
    module.Builder = lambda logger: Builder(world, version, logger)
    module.OnnxParser = lambda network, logger: OnnxParser(world, version, name, network, logger)
    module.Runtime = lambda logger: Runtime(world, version, logger)
    module.get_plugin_registry = lambda: PluginRegistry(world)
    return module  # type: ignore[no-any-return]


class PluginRegistry:
    def __init__(self, world: World) -> None:
        self._world = world

    def get_creator(self, type: str, version: str, plugin_namespace: str = "") -> object:
        return self._world.registry.get((type, version, plugin_namespace))

    def load_library(self, plugin_path: str) -> object:
        with open(plugin_path, "rb") as file:
            if not file.read().startswith(LIBRARY_MARK):
                return None
        self._world.calls.append(("load_library", plugin_path))
        for op in OPS:
            self._world.registry[op, "1", plugins.DOMAIN] = object()
        return object()


class Builder:
    def __init__(self, world: World, version: str, logger: Any) -> None:
        if world.cuda is None and not version.startswith("1."):
            logger.log(ILogger.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._world, self._version, self._logger = world, version, logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        self._world.calls.append(("create_network", flags))
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig(self._world, self._version)

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> bytes | None:
        problem = self._world.refuse_build or _unprofiled(network, config)
        if problem:
            self._logger.log(ILogger.ERROR, problem)
            return None
        header = {"version": self._version, "flags": sorted(flag.name for flag in config.flags)}
        return MAGIC + json.dumps(header).encode() + b"\n" + network.model.SerializeToString()


def _unprofiled(network: INetworkDefinition, config: IBuilderConfig) -> str:
    """The first free input that a profile lacks."""
    for value in network.model.graph.input:
        if any(d.dim_param for d in value.type.tensor_type.shape.dim):
            if not config.profiles:
                return f"Network has dynamic inputs, but no optimization profile: {value.name}"
            for profile in config.profiles:
                if value.name not in profile.shapes:
                    return f"optimization profile is missing values for input {value.name}"
    return ""


class INetworkDefinition:
    def __init__(self) -> None:
        self.model = onnx.ModelProto()
        self.layers: list[Any] = []

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def get_layer(self, index: int) -> Any:
        return self.layers[index]


@dataclass
class Layer:
    type: LayerType


class IOptimizationProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, list[tuple[int, ...]]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        shapes = [tuple(min), tuple(opt), tuple(max)]
        if not all(a <= b <= c for a, b, c in zip(*shapes, strict=True)):
            raise RuntimeError("Shape provided for max is inconsistent with other shapes.")
        self.shapes[input] = shapes


class ITimingCache:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> bytes:
        return self.data + b"+timings"


class IBuilderConfig:
    def __init__(self, world: World, version: str) -> None:
        self._world, self._version = world, version
        self.flags: set[BuilderFlag] = {BuilderFlag.TF32}
        self.profiles: list[IOptimizationProfile] = []
        self.profiling_verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
        self.hardware_compatibility_level = HardwareCompatibilityLevel.NONE
        self.num_compute_capabilities = 0
        self._timings: ITimingCache | None = None
        world.calls.append(("config", self))

    def set_flag(self, flag: BuilderFlag) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.flags.discard(flag)

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self._world.calls.append(("set_memory_pool_limit", pool, pool_size))

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(bytes(serialized_timing_cache))

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        if cache.data and not cache.data.startswith(self._version.encode()):
            return bool(ignore_mismatch)
        self._timings = ITimingCache(cache.data or self._version.encode())
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        return self._timings

    def set_compute_capability(self, capability: ComputeCapability, index: int) -> bool:
        self._world.calls.append(("set_compute_capability", capability, index))
        return True


@dataclass
class ParserError:
    name: str
    operator: str
    text: str

    def node_name(self) -> str:
        return self.name

    def node_operator(self) -> str:
        return self.operator

    def desc(self) -> str:
        return self.text


class OnnxParser:
    def __init__(
        self, world: World, version: str, name: str, network: INetworkDefinition, logger: Any
    ) -> None:
        self._world, self._network = world, network
        self._rtx = name == "tensorrt_rtx"
        self._version = tuple(int(part) for part in version.split(".")[:2])
        self._errors: list[ParserError] = []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def parse(self, model: bytes) -> bool:
        self._network.model = onnx.load_model_from_string(model)
        functions = {function.name for function in self._network.model.functions}
        for node in self._network.model.graph.node:
            kind = self._layer(node, functions)
            if kind is None:
                return False
            self._network.layers.append(Layer(kind))
        return True

    def _layer(self, node: onnx.NodeProto, functions: set[str]) -> LayerType | None:
        if node.op_type == "NonZero" and self._rtx:
            return self._refuse(node, "Plugin not found, are the plugin name and version correct?")
        if node.domain != plugins.DOMAIN:
            return LayerType.ELEMENTWISE
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        namespace = attributes.get("plugin_namespace", b"").decode()
        version = attributes.get("plugin_version", b"").decode()
        registered = (node.op_type, version, namespace) in self._world.registry
        if node.op_type in functions and (self._version < (10, 7) or not registered):
            return LayerType.ELEMENTWISE
        if registered:
            assert not self._rtx, "TensorRT-RTX aborts the process here"
            return LayerType.PLUGIN_V3
        return self._refuse(
            node, "Plugin not found, are the plugin name, version, and namespace correct?"
        )

    def _refuse(self, node: onnx.NodeProto, text: str) -> None:
        self._errors.append(ParserError(node.name, node.op_type, text))


class Runtime:
    engine_header_size = 64

    def __init__(self, world: World, version: str, logger: Any) -> None:
        self._world, self._version, self._logger = world, version, logger
        self.engine_host_code_allowed = False

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        if not serialized_engine.startswith(MAGIC):
            self._logger.log(ILogger.ERROR, "header.magicTag == kEXPECTED_MAGIC_TAG failed")
            return None
        header, model = serialized_engine.removeprefix(MAGIC).split(b"\n", 1)
        facts = json.loads(header)
        if "VERSION_COMPATIBLE" in facts["flags"] and not self.engine_host_code_allowed:
            self._logger.log(ILogger.ERROR, "engine host code is not allowed")
            return None
        return ICudaEngine(self._world, onnx.load_model_from_string(model), self._logger)

    def get_engine_validity(self, buffer: bytes) -> Any:
        if buffer.startswith(MAGIC):
            return EngineValidity.VALID, 0
        return EngineValidity.INVALID, int(EngineInvalidityDiagnostics.VERSION_MISMATCH)


class ICudaEngine:
    device_memory_size_v2 = 4096

    def __init__(self, world: World, model: onnx.ModelProto, logger: Any) -> None:
        self._world, self._logger = world, logger
        self._inputs = [value.name for value in model.graph.input]
        self._values = {
            v.name: v.type.tensor_type for v in (*model.graph.input, *model.graph.output)
        }
        _restore_functions(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, ["CPUExecutionProvider"]
        )

    @property
    def num_io_tensors(self) -> int:
        return len(self._values)

    def get_tensor_name(self, index: int) -> str:
        return list(self._values)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        return DataType[ONNX_TYPES[self._values[name].elem_type]]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(-1 if d.dim_param else d.dim_value for d in self._values[name].shape.dim)

    def create_runtime_config(self) -> IRuntimeConfig:
        return IRuntimeConfig()

    def create_execution_context(
        self, strategy: IRuntimeConfig | ExecutionContextAllocationStrategy
    ) -> IExecutionContext:
        self._world.calls.append(("create_execution_context", strategy))
        if isinstance(strategy, IRuntimeConfig) and strategy.cache is not None:
            strategy.cache.kernels += 1
        needs = strategy == ExecutionContextAllocationStrategy.USER_MANAGED
        return IExecutionContext(self, self._world, self._logger, needs_memory=needs)


class IRuntimeCache:
    def __init__(self) -> None:
        self.kernels = 0

    def serialize(self) -> bytes:
        return b"kernels " * self.kernels

    def deserialize(self, blob: bytes) -> bool:
        fits = bytes(blob).startswith(b"kernels ")
        self.kernels = len(blob) // 8 if fits else 0
        return fits


class IRuntimeConfig:
    def __init__(self) -> None:
        self.cache: IRuntimeCache | None = None
        self.cuda_graph_strategy = CudaGraphStrategy.DISABLED

    def create_runtime_cache(self) -> IRuntimeCache:
        return IRuntimeCache()

    def set_runtime_cache(self, cache: IRuntimeCache) -> bool:
        self.cache = cache
        return True


def _restore_functions(model: onnx.ModelProto) -> None:
    """Bodies for the ops that only plugins were to run."""
    ours = [node for node in model.graph.node if node.domain == plugins.DOMAIN]
    given = {attribute.name: attribute.i for node in ours for attribute in node.attribute}
    used = {node.op_type for node in ours} - {function.name for function in model.functions}
    functions = plugins.onnx_functions(plugins.Bodies(steps=given.get("steps", 1)))
    model.functions.extend(f for f in functions if f.name in used)


class IExecutionContext:
    def __init__(
        self, engine: ICudaEngine, world: World, logger: Any, *, needs_memory: bool
    ) -> None:
        self._engine, self._world, self._logger = engine, world, logger
        self._needs_memory, self._memory = needs_memory, 0
        self.nvtx_verbosity = ProfilingVerbosity.DETAILED
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._ran: tuple[Any, ...] | None = None
        self._captured: tuple[Any, ...] | None = None
        self._addresses: dict[str, int] = {}
        self.profile = 0

    def set_device_memory(self, memory: int, size: int) -> None:
        assert self._needs_memory and size >= self._engine.device_memory_size_v2
        assert self._world.cuda is not None
        self._world.cuda.check(memory, size)
        self._memory = memory

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self._world.calls.append(("profile", profile_index))
        self.profile = profile_index
        return True

    def set_input_shape(self, name: str, shape: Any) -> bool:
        declared = self._engine.get_tensor_shape(name)
        fits = all(a in (-1, b) for a, b in zip(declared, shape, strict=True))
        self._shapes[name] = tuple(shape)
        return fits

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        missing = [n for n in self._engine._values if not self._addresses.get(n)]
        unset = [n for n in self._engine._inputs if -1 in self._input_shape(n)]
        problem = self._world.refuse_enqueue
        if missing or unset:
            problem = f"no address for {missing}, no shape for {unset}"
        if problem:
            self._logger.log(ILogger.ERROR, problem)
            return False
        assert self._memory or not self._needs_memory, "no scratch memory"
        shapes = {name: self._input_shape(name) for name in self._engine._inputs}
        self._world.calls.append(("execute", self.profile, shapes))
        addresses, cuda = dict(self._addresses), self._world.cuda
        assert cuda is not None
        run = (profile_and_shapes := (self.profile, shapes)), addresses
        if cuda.capturing:
            assert self._ran == profile_and_shapes, "captured right after a change of shape"
            self._captured = run
        else:
            assert self._captured in (None, run), "a context that was captured runs other work"
        self._ran = profile_and_shapes
        cuda.enqueue(stream_handle, lambda: self._run(cuda, shapes, addresses))
        return True

    def _input_shape(self, name: str) -> tuple[int, ...]:
        return self._shapes.get(name, self._engine.get_tensor_shape(name))

    def _run(self, cuda: FakeCuda, shapes: Any, addresses: dict[str, int]) -> None:
        feed = {}
        for name, shape in shapes.items():
            dtype = np.dtype(NUMPY[self._engine.get_tensor_dtype(name).name])
            feed[name] = _memory(cuda, addresses[name], shape, dtype).copy()
        names = [each.name for each in self._engine._session.get_outputs()]
        for name, value in zip(names, self._engine._session.run(names, feed), strict=True):
            if value.size:
                _memory(cuda, addresses[name], value.shape, value.dtype)[...] = value


def _memory(cuda: FakeCuda, address: int, shape: tuple[int, ...], dtype: Any) -> Any:
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    cuda.check(address, size)
    raw = (ctypes.c_ubyte * size).from_address(address)
    return np.ndarray(shape, dtype, raw)
