"""The fake TensorRT offers nothing that the real libraries lack."""

from __future__ import annotations

import inspect

import pytest

from tests.fakes import tensorrt as fake
from tests.fakes.tensorrt import World, make_module

pytestmark = pytest.mark.tensorrt
real = pytest.importorskip(
    "tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install 'spikehalt[tensorrt-rtx]'"
)
CLASSES = (
    "Builder", "INetworkDefinition", "IBuilderConfig", "IOptimizationProfile", "OnnxParser",
    "ParserError", "ITimingCache", "Runtime", "ICudaEngine", "IExecutionContext",
    "IRuntimeConfig", "IRuntimeCache",
)  # fmt: skip
ENUMS = (
    "LayerType", "TensorIOMode", "MemoryPoolType", "NetworkDefinitionCreationFlag", "BuilderFlag",
    "HardwareCompatibilityLevel", "ProfilingVerbosity", "DataType", "ComputeCapability",
    "EngineValidity", "EngineInvalidityDiagnostics",
)  # fmt: skip
# Fields of the fakes that no caller sees.
INTERNAL = {"model", "layers", "flags", "profiles", "data", "name", "operator", "text", "shapes"}
INTERNAL |= {"profile", "cache", "kernels"}


@pytest.mark.parametrize("name", CLASSES)
def test_methods_and_properties_exist(name: str) -> None:
    offered = {n for n in vars(getattr(fake, name)) if not n.startswith("_")}
    assert offered - INTERNAL <= set(dir(getattr(real, name)))


@pytest.mark.parametrize("name", ENUMS)
def test_members_exist(name: str) -> None:
    members = set(getattr(fake, name).__members__)
    assert members <= set(getattr(real, name).__members__)


def test_arguments_have_the_real_names() -> None:
    for name in CLASSES:
        for method, function in inspect.getmembers(getattr(fake, name), inspect.isfunction):
            if not method.startswith("_"):
                text = getattr(getattr(real, name), method).__doc__ or ""
                for argument in list(inspect.signature(function).parameters)[1:]:
                    assert f"{argument}:" in text, f"{name}.{method}({argument})"


def test_the_module_offers_nothing_else() -> None:
    offered = {n for n in vars(make_module(World(None), name="tensorrt_rtx")) if n[0] != "_"}
    assert offered <= set(dir(real))
