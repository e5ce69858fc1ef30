"""Full TensorRT, 10.3 to 11: engines for this machine's GPU, with the project's plugins.

Networks are strongly typed on every version: TensorRT 11 knows nothing else. Which of a function
body and a plugin of the same name the parser takes depends on its version, so builds with plugins
strip the bodies, and the plugin layers are counted afterwards.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx

import plugins
from export.engines.profiles import ShapedGraph
from export.engines.targets.base import BuiltEngine, EngineOptions
from export.engines.targets.network import Network
from export.errors import EngineBuildError, TargetMissingError
from plugins.errors import PluginError
from plugins.libraries import find_plugins
from plugins.loader import load_plugins
from runtime.backends.cuda.driver import CudaDriver
from runtime.bundle.engine_manifest import Flavour, PluginUse, numbers
from runtime.errors import DeviceError
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.reading import read_file
from spikehalt.extras import require_extra
from spikehalt.files import replace_file

OLDEST = (10, 3)
_MAX_TIMINGS = 2**30  # bytes of a timing cache


class TensorRT:
    """Builds on the machine that will run the engine.

    Args:
        options: how to build.

    Raises:
        TargetMissingError: TensorRT, a GPU or the plugin library is missing.
        UnsupportedError: an option it does not have.
    """

    flavour: Flavour = "tensorrt"
    tunes_per_profile = True

    def __init__(self, options: EngineOptions) -> None:
        self._trt = import_tensorrt()
        self._options = options
        self.version: str = self._trt.__version__
        gpu = _this_gpu()
        self.gpu: str | None = gpu.name
        self.compute_capabilities = _capabilities(options, gpu.compute_capability)
        self.plugin_library = _load_plugins(self._trt) if options.plugins else None

    def build(self, graph: ShapedGraph) -> BuiltEngine:
        """Build one engine; see `Target.build`."""
        if self._options.plugins:
            graph = dataclasses.replace(graph, model=for_plugins(graph.model))
        custom = custom_nodes(graph.model)
        network = Network(self._trt, f"TensorRT {self.version}", graph)
        types = network.layer_types()
        expected = custom.total() if self._options.plugins else 0
        self._count_plugins(graph, types, expected)
        plan = network.build(self._configure)
        self._keep_timings(network.config)
        uses = [
            PluginUse(name=op, version=str(plugins.VERSION), namespace=plugins.DOMAIN, layers=count)
            for op, count in sorted(custom.items())
        ]
        return BuiltEngine(
            plan=plan, layers=len(types), plugins=tuple(uses) if self._options.plugins else ()
        )

    def _count_plugins(self, graph: ShapedGraph, types: list[Any], expected: int) -> None:
        """Refuse an engine in which a plugin was silently not used."""
        found = sum(kind == self._trt.LayerType.PLUGIN_V3 for kind in types)
        if found != expected:
            raise EngineBuildError(
                f"TensorRT {self.version} made {found} plugin layers of {expected} custom nodes in "
                f"{graph.model.graph.name}.onnx; build with --no-plugins, and report this version"
            )

    def _configure(self, config: Any) -> None:
        trt, options = self._trt, self._options
        if options.workspace_mib is not None:
            config.set_memory_pool_limit(
                trt.MemoryPoolType.WORKSPACE, options.workspace_mib * 2**20
            )
        if options.version_compatible:
            config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        if options.hardware_compatible:
            config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
        # Layer names are the graph's node names, so that a profile can be read.
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        if options.timing_cache is not None:
            self._use_timings(config, options.timing_cache)

    def _use_timings(self, config: Any, path: Path) -> None:
        with raised_as(EngineBuildError):
            data = read_file(path, _MAX_TIMINGS) if path.exists() else b""
        cache = config.create_timing_cache(data)
        if cache is None or not config.set_timing_cache(cache, False):
            raise EngineBuildError(
                f"the timing cache {path} is of another TensorRT version or GPU than TensorRT "
                f"{self.version} on {self.gpu}: name another file, which will be made"
            )

    def _keep_timings(self, config: Any) -> None:
        if self._options.timing_cache is not None:
            timings = bytes(memoryview(config.get_timing_cache().serialize()))
            replace_file(self._options.timing_cache, timings)


def custom_nodes(model: onnx.ModelProto) -> Counter[str]:
    """Nodes that plugins can run, by op."""
    ours = (node.op_type for node in model.graph.node if node.domain == plugins.DOMAIN)
    return Counter(op for op in ours if op in plugins.PLUGIN_OPS)


def for_plugins(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which plugins run what they can: they alone, without function bodies.

    PackedLIF has no plugin; it becomes a Gather and a LIF.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.functions[:]
    bodies = [f for f in model.functions if f.name not in (*plugins.PLUGIN_OPS, "PackedLIF")]
    copy.functions.extend(bodies)
    del copy.graph.node[:]
    copy.graph.node.extend(part for node in model.graph.node for part in _lowered(node))
    return copy


def _lowered(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The node, or for PackedLIF the two that do the same."""
    if node.op_type != "PackedLIF" or node.domain != plugins.DOMAIN:
        return [node]
    x, v, row = node.input
    given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    given["reset"] = given["reset"].decode()
    rows = f"{node.name}/rows"
    return [
        onnx.helper.make_node("Gather", [v, row], [rows], name=rows, axis=0),
        onnx.helper.make_node(
            "LIF", [x, rows], node.output, name=node.name, domain=plugins.DOMAIN,
            **plugins.node_attributes("LIF", **given),
        ),
    ]  # fmt: skip


def import_tensorrt() -> ModuleType:
    """The module.

    Raises:
        TargetMissingError: it is not installed, or older than 10.3.
    """
    tensorrt: ModuleType = require_extra(
        "tensorrt", "tensorrt", "building engines", TargetMissingError
    )
    if numbers(tensorrt.__version__) < OLDEST:
        raise TargetMissingError(
            f"TensorRT {tensorrt.__version__} is too old, 10.3 is the oldest that works: update it "
            "(on a Jetson: JetPack 6.1 or newer)"
        )
    return tensorrt


def _this_gpu() -> CudaDriver:
    try:
        return CudaDriver()
    except DeviceError as error:
        raise TargetMissingError(
            f"TensorRT builds engines only on the GPU they are for: {error}. On a machine without "
            "one use --target tensorrt-rtx, or --target onnx and build on the device"
        ) from error


def _capabilities(options: EngineOptions, here: str) -> tuple[str, ...]:
    """What the engines run on; asking for another GPU than this one's is an error."""
    others = sorted(set(options.compute_capabilities) - {here})
    if others:
        raise TargetMissingError(
            f"TensorRT builds engines only for this machine's GPU ({here}), not for "
            f"{', '.join(others)}: build there, or use --target tensorrt-rtx"
        )
    return (here,)


def _load_plugins(trt: ModuleType) -> Path:
    """Load the plugins; returns their library."""
    try:
        return load_plugins(trt) or find_plugins(numbers(trt.__version__)[0])
    except PluginError as error:
        raise TargetMissingError(
            f"the plugins cannot be loaded: {error} Or build without: --no-plugins"
        ) from error
