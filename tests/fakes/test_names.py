"""The fake TensorRT offers nothing that the real libraries' Python interfaces lack."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import pytest

from tests.fakes import tensorrt as fake
from tests.fakes.tensorrt import World, make_module
from tests.fakes.tensorrt_bindings import load_bindings

pytestmark = pytest.mark.tensorrt
CLASSES = (
    "Builder", "INetworkDefinition", "IBuilderConfig", "IOptimizationProfile", "OnnxParser",
    "ParserError", "ITimingCache", "Runtime", "ICudaEngine", "IExecutionContext",
)  # fmt: skip
ENUMS = (
    "LayerType", "TensorIOMode", "MemoryPoolType", "NetworkDefinitionCreationFlag", "BuilderFlag",
    "HardwareCompatibilityLevel", "ProfilingVerbosity", "DataType",
    "ExecutionContextAllocationStrategy",
)  # fmt: skip
# What TensorRT-RTX alone has.
RTX_CLASSES = ("IRuntimeConfig", "IRuntimeCache")
RTX_ENUMS = (
    "ComputeCapability", "EngineValidity", "EngineInvalidityDiagnostics", "CudaGraphStrategy",
)  # fmt: skip
RTX_MEMBERS = {"set_compute_capability", "engine_header_size", "get_engine_validity"}
# Fields of the fakes that no caller sees.
INTERNAL = {"model", "layers", "flags", "profiles", "data", "name", "operator", "text", "shapes"}
INTERNAL |= {"profile", "cache", "kernels"}


@pytest.fixture(params=["tensorrt", "tensorrt_rtx"])
def real(request: pytest.FixtureRequest, build_folder: Path) -> ModuleType:
    if request.param == "tensorrt":
        return load_bindings(build_folder)
    reason = "TensorRT-RTX is not installed: pip install 'spikehalt[tensorrt-rtx]'"
    return pytest.importorskip(request.param, reason=reason, exc_type=ImportError)


def is_rtx(real: ModuleType) -> bool:
    return real.__name__ == "tensorrt_rtx"


def classes(real: ModuleType) -> tuple[str, ...]:
    return CLASSES + RTX_CLASSES * is_rtx(real)


def members(real: ModuleType, name: str) -> set[str]:
    """What the fake of a class offers in the place of that library's."""
    offered = {n for n in vars(getattr(fake, name)) if not n.startswith("_")}
    return offered - INTERNAL - (set() if is_rtx(real) else RTX_MEMBERS)


def test_methods_and_properties_exist(real: ModuleType) -> None:
    for name in classes(real):
        assert members(real, name) <= set(dir(getattr(real, name))), name


def test_members_of_enumerations_exist(real: ModuleType) -> None:
    for name in ENUMS + RTX_ENUMS * is_rtx(real):
        offered = set(getattr(fake, name).__members__)
        assert offered <= set(getattr(real, name).__members__), name


def test_arguments_have_the_real_names(real: ModuleType) -> None:
    for name in classes(real):
        for method in members(real, name):
            function = getattr(getattr(fake, name), method)
            if inspect.isfunction(function):
                text = getattr(getattr(real, name), method).__doc__ or ""
                for argument in list(inspect.signature(function).parameters)[1:]:
                    assert f"{argument}:" in text, f"{name}.{method}({argument})"


def test_the_module_offers_nothing_else(real: ModuleType) -> None:
    name = "tensorrt_rtx" if is_rtx(real) else "tensorrt"
    offered = {n for n in vars(make_module(World(None), name=name)) if n[0] != "_"}
    assert offered <= set(dir(real))
