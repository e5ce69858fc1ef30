"""TensorRT-RTX: plugin-free engines, built on any machine for the GPUs asked for."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from export.engines.profiles import ShapedGraph
from export.engines.targets.base import BuiltEngine, EngineOptions
from export.engines.targets.network import Network
from export.errors import TargetMissingError, UnsupportedError
from runtime.bundle.engine_manifest import Flavour
from spikehalt.extras import require_extra

_SM = re.compile(r"SM(\d+)(\d)")


class TensorRTRTX:
    """Builds ahead of time; no GPU is needed.

    Its parser ends the process when it meets a plugin, so the ops' function bodies are kept.

    Args:
        options: how to build.

    Raises:
        TargetMissingError: tensorrt_rtx is not installed.
        UnsupportedError: an option it does not have, or a compute capability it does not know.
    """

    flavour: Flavour = "tensorrt-rtx"
    gpu: str | None = None
    plugin_library: Path | None = None
    tunes_per_profile = False  # it compiles kernels for the shapes it meets, at run time

    def __init__(self, options: EngineOptions) -> None:
        self._trt = import_tensorrt_rtx()
        self._options = options
        self.version: str = self._trt.__version__
        self.compute_capabilities = options.compute_capabilities
        _refuse_options(options)
        self._targets = [capability(self._trt, each) for each in options.compute_capabilities]

    def build(self, graph: ShapedGraph) -> BuiltEngine:
        """Build one engine; see `Target.build`."""
        network = Network(self._trt, f"TensorRT-RTX {self.version}", graph)
        layers = len(network.layer_types())
        return BuiltEngine(plan=network.build(self._configure), layers=layers)

    def _configure(self, config: Any) -> None:
        if self._options.workspace_mib is not None:
            workspace = self._trt.MemoryPoolType.WORKSPACE
            config.set_memory_pool_limit(workspace, self._options.workspace_mib * 2**20)
        if self._targets:
            config.num_compute_capabilities = len(self._targets)
            for index, target in enumerate(self._targets):
                config.set_compute_capability(target, index)


def import_tensorrt_rtx() -> ModuleType:
    """The module.

    Raises:
        TargetMissingError: it is not installed.
    """
    module: ModuleType = require_extra(
        "tensorrt_rtx", "tensorrt-rtx", "building engines", TargetMissingError
    )
    return module


def capability(trt: ModuleType, text: str) -> Any:
    """The library's constant for a compute capability such as "8.6".

    Raises:
        UnsupportedError: this version has none; the message lists those it has.
    """
    known = known_capabilities(trt)
    if text not in known:
        raise UnsupportedError(
            f"TensorRT-RTX {trt.__version__} builds for no GPU of compute capability {text}; it "
            f"builds for {', '.join(known)} (use --target tensorrt on that machine instead)"
        )
    return known[text]


def known_capabilities(trt: ModuleType) -> dict[str, Any]:
    """Compute capabilities the installed version builds for, such as "8.6"."""
    members = trt.ComputeCapability.__members__
    matches = ((_SM.fullmatch(name), value) for name, value in members.items())
    return {f"{m[1]}.{m[2]}": value for m, value in matches if m is not None}


def _refuse_options(options: EngineOptions) -> None:
    refused = {
        "--timing-cache": options.timing_cache is not None,
        "--hardware-compatible": options.hardware_compatible,
        "--version-compatible": options.version_compatible,
    }
    remedy = {
        "--timing-cache": "it times no kernels while building",
        "--hardware-compatible": "name the GPUs with --compute-capability instead",
        "--version-compatible": "its engines never cross versions",
    }
    for option, given in refused.items():
        if given:
            raise UnsupportedError(f"TensorRT-RTX has no {option}: {remedy[option]}")
