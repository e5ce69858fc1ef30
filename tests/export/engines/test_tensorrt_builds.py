"""Full TensorRT's target, asked through its real Python interface.

NVIDIA's parser and builder answer, TensorRT-RTX's (tests/fakes/tensorrt_bindings says what that
shows and what not); the GPU is a fake.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import export.engines.targets.choose
import export.engines.targets.tensorrt
from export import to_trt
from export.engines.build import build_engines, load_graphs
from export.engines.profiles import BatchRange, shape_graph
from export.engines.targets.base import EngineOptions
from export.engines.targets.tensorrt import TensorRT
from export.errors import EngineBuildError
from runtime.bundle.engine_manifest import EngineSidecar, read_sidecars
from runtime.bundle.read import Bundle
from tests.export.engines.test_rtx_builds import FORMS, MAGIC, with_a_node_it_lacks
from tests.fakes.bundles import write_small_bundle
from tests.fakes.cuda import FakeCuda
from tests.fakes.tensorrt_bindings import load_bindings

pytestmark = pytest.mark.tensorrt


@pytest.fixture
def tensorrt(build_folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Its bindings in the place of the package, on a machine with a GPU."""
    module = load_bindings(build_folder)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    for target in (export.engines.targets.choose, export.engines.targets.tensorrt):
        monkeypatch.setattr(target, "CudaDriver", FakeCuda)
    return module


def options(**changes: Any) -> EngineOptions:
    return EngineOptions(**{"batch": BatchRange(1, 2, 4), "plugins": False, **changes})


def built(folder: Path, chosen: EngineOptions, **changes: Any) -> dict[str, EngineSidecar]:
    """Engines of a small bundle of two timesteps."""
    changes["qdq"] = changes.get("precision") == "int8"
    bundle = write_small_bundle(folder, **{"timesteps": 2, **changes})
    sidecars = read_sidecars(build_engines(bundle, TensorRT(chosen), chosen), "tensorrt")
    for name in sidecars:
        assert Bundle.open(bundle.root).read(name).startswith(MAGIC)
    return sidecars


@pytest.mark.parametrize("layout", ["dense", "lagged"])
@pytest.mark.parametrize("arch", FORMS)
def test_every_architecture_builds(
    tensorrt: ModuleType, tmp_path: Path, arch: str, layout: str
) -> None:
    sidecars = built(tmp_path, options(), arch=arch, layout=layout, **FORMS[arch])
    assert sorted(sidecar.graph for sidecar in sidecars.values()) == ["first", "next"]
    for sidecar in sidecars.values():
        assert sidecar.version == tensorrt.__version__
        assert sidecar.profiles == (1, 2, 4)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("mode", ["none", "block_time"])
def test_every_precision_builds(
    tensorrt: ModuleType, tmp_path: Path, mode: str, precision: str
) -> None:
    sidecars = built(tmp_path, options(), layout="dense", mode=mode, precision=precision)
    assert {sidecar.precision for sidecar in sidecars.values()} == {precision}


def test_builder_options_are_what_the_builder_takes(tensorrt: ModuleType, tmp_path: Path) -> None:
    chosen = options(workspace_mib=64, hardware_compatible=True)
    for sidecar in built(tmp_path, chosen, layout="dense", mode="none").values():
        assert sidecar.hardware_compatible


def test_a_timing_cache_is_written_and_taken_again(tensorrt: ModuleType, tmp_path: Path) -> None:
    cache = tmp_path / "timings"
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()
        built(tmp_path / folder, options(timing_cache=cache), layout="dense", mode="none")
        assert cache.stat().st_size > 0


def test_the_parsers_verdict_names_the_node(tensorrt: ModuleType, tmp_path: Path) -> None:
    graph = with_a_node_it_lacks(write_small_bundle(tmp_path, "dense", timesteps=2))
    with pytest.raises(EngineBuildError, match=r"cannot parse first\.onnx: node found \(NonZero\)"):
        TensorRT(options()).build(graph)


def test_the_builders_verdict_is_its_own(tensorrt: ModuleType, tmp_path: Path) -> None:
    bundle = write_small_bundle(tmp_path, "dense", mode="none", timesteps=2)
    shaped = shape_graph(load_graphs(bundle)["first"], (BatchRange(1, 2, 4),), (64, 64))
    with pytest.raises(EngineBuildError, match=r"cannot build an engine from first\.onnx: .*profi"):
        TensorRT(options()).build(replace(shaped, profiles=()))


def test_the_command_builds_engines_of_a_bundle(
    tensorrt: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path, "dense", mode="none", timesteps=2)
    arguments = [str(bundle.root), "--target", "tensorrt", "--no-plugins", "--batch", "2"]
    assert to_trt.main(arguments) == 0, capsys.readouterr().out
    assert len(read_sidecars(Bundle.open(bundle.root), "tensorrt")) == 2
