"""Engines of a bundle, with a fake TensorRT; the real TensorRT-RTX is in test_rtx_builds.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
import pytest

import plugins
from export.engines import build as engines
from export.engines.build import build_engines
from export.engines.profiles import BatchRange
from export.engines.targets.base import EngineOptions
from export.engines.targets.choose import open_target
from export.engines.targets.tensorrt import TensorRT, for_plugins
from export.engines.targets.tensorrt_rtx import TensorRTRTX
from export.errors import EngineBuildError, TargetMissingError, UnsupportedError
from runtime.bundle import SIGNATURE_NAME
from runtime.bundle.engine_manifest import EngineSidecar, read_sidecars
from runtime.bundle.read import Bundle
from tests.fakes import tensorrt as fake
from tests.fakes.bundles import write_small_bundle
from tests.fakes.install import install

VERSIONS = ["10.3.0.30", "10.7.0.23", "10.13.3.9", "10.16.0.1", "11.4.0.106"]
BATCH = BatchRange(1, 4, 8)


def options(**changes: Any) -> EngineOptions:
    return EngineOptions(**{"batch": BATCH, **changes})


def build(bundle: Bundle, **changes: Any) -> dict[str, EngineSidecar]:
    chosen = options(**changes)
    return read_sidecars(build_engines(bundle, TensorRT(chosen), chosen), "tensorrt")


def test_for_plugins_a_packed_lif_is_a_gather_and_a_lif(tmp_path: Path) -> None:
    model = engines.load_graphs(write_small_bundle(tmp_path, "dense"))["next"]
    (node, *_) = [each for each in model.graph.node if each.op_type == "PackedLIF"]
    lowered = for_plugins(model)
    gather, lif = (each for each in lowered.graph.node if each.name.startswith(node.name))
    assert (gather.op_type, lif.op_type, lif.name) == ("Gather", "LIF", node.name)
    assert list(gather.input) == list(node.input[1:]) and lif.input[1] == gather.output[0]
    given = {a.name: onnx.helper.get_attribute_value(a) for a in lif.attribute}
    kept = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert given == {**given, **kept, "steps": 1, "plugin_namespace": b"spikehalt"}


@pytest.mark.parametrize("version", VERSIONS)
def test_plugins_run_every_custom_node_whatever_the_parser_prefers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    install(monkeypatch, tmp_path, version=version)
    bundle = write_small_bundle(tmp_path, gamma=3)
    graphs = engines.load_graphs(bundle)

    for sidecar in build(bundle).values():
        model = for_plugins(graphs[sidecar.graph])
        ours = [n.op_type for n in model.graph.node if n.domain == "spikehalt"]
        nodes = [op for op in ours if op in plugins.PLUGIN_OPS]
        assert "PackedLIF" not in ours
        assert {use.name: use.layers for use in sidecar.plugins} == {
            op: nodes.count(op) for op in set(nodes)
        }
        assert {"LIF", "TokenHaltSum", "TokenMerge"} == set(nodes)
        assert sidecar.version == version


def test_a_plugin_that_is_silently_not_used_stops_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    bundle = write_small_bundle(tmp_path)
    plain = fake.LayerType.ELEMENTWISE
    monkeypatch.setattr(fake.OnnxParser, "_layer", lambda *_: plain)
    with pytest.raises(EngineBuildError, match=r"made 0 plugin layers of \d+ custom nodes.*first"):
        build(bundle)
    assert not read_sidecars(Bundle.open(bundle.root), "tensorrt")


@pytest.mark.parametrize("version", VERSIONS)
def test_without_plugins_the_function_bodies_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    world = install(monkeypatch, tmp_path, version=version)
    for sidecar in build(write_small_bundle(tmp_path), plugins=False).values():
        assert sidecar.plugins == () and sidecar.plugin_library_sha256 is None
    assert not any(call[0] == "load_library" for call in world.calls)


def test_the_sidecar_says_what_the_engine_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    bundle = write_small_bundle(tmp_path, precision="fp16")
    sidecars = build(bundle, hardware_compatible=True)
    library = (tmp_path / "libspikehalt_plugins_trt10.so").read_bytes()
    for sidecar in sidecars.values():
        assert sidecar.graph_sha256 == bundle.manifest.files[f"{sidecar.graph}.onnx"].sha256
        assert sidecar.plugin_library_sha256 == hashlib.sha256(library).hexdigest()
        assert (sidecar.gpu, sidecar.compute_capabilities) == ("Fake GPU", ("8.6",))
        assert (sidecar.layout, sidecar.precision) == ("lagged", "fp16")
        assert (sidecar.batch, sidecar.profiles) == ((1, 4, 8), (1, 4, 8))
        assert sidecar.hardware_compatible and not sidecar.version_compatible
    by_graph = {sidecar.graph: sidecar for sidecar in sidecars.values()}
    assert by_graph["next"].rows == {"rows.block2": 576} and by_graph["next"].row_step == 64
    assert by_graph["first"].rows == {}
    assert by_graph["first"].build == by_graph["next"].build


def config_of(world: fake.World) -> fake.IBuilderConfig:
    (config, *_) = [call[1] for call in world.calls if call[0] == "config"]
    assert isinstance(config, fake.IBuilderConfig)
    return config


def test_networks_are_strongly_typed_without_tf32_and_name_their_layers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = install(monkeypatch, tmp_path)
    build(write_small_bundle(tmp_path))
    flags = [call[1] for call in world.calls if call[0] == "create_network"]
    assert flags == [1 << fake.NetworkDefinitionCreationFlag.STRONGLY_TYPED] * 2
    config = config_of(world)
    assert config.flags == set()
    assert config.profiling_verbosity == fake.ProfilingVerbosity.DETAILED
    assert len(config.profiles) == 3


def test_options_reach_the_builder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = install(monkeypatch, tmp_path)
    build(
        write_small_bundle(tmp_path), workspace_mib=256, version_compatible=True,
        hardware_compatible=True,
    )  # fmt: skip
    pool = ("set_memory_pool_limit", fake.MemoryPoolType.WORKSPACE, 256 * 2**20)
    config = config_of(world)
    assert pool in world.calls
    assert fake.BuilderFlag.VERSION_COMPATIBLE in config.flags
    level = config.hardware_compatibility_level
    assert level == fake.HardwareCompatibilityLevel.AMPERE_PLUS


def test_the_timing_cache_is_made_used_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    bundle, cache = write_small_bundle(tmp_path), tmp_path / "timings"
    build(bundle, timing_cache=cache)
    assert cache.read_bytes() == b"10.13.3.9+timings+timings", "one per graph"
    build(bundle, timing_cache=cache)
    assert cache.read_bytes().count(b"+timings") == 4


def test_a_timing_cache_of_another_version_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    cache = tmp_path / "timings"
    cache.write_bytes(b"10.3.0.30+timings")
    with pytest.raises(EngineBuildError, match=r"timing cache .* of another TensorRT version"):
        build(write_small_bundle(tmp_path), timing_cache=cache)


def test_the_builders_complaint_is_one_sentence_and_nothing_is_added(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = install(monkeypatch, tmp_path)
    world.refuse_build = "Could not find any implementation for node block1/qkv."
    bundle = write_small_bundle(tmp_path)
    with pytest.raises(EngineBuildError) as refused:
        build(bundle)
    assert str(refused.value) == (
        "TensorRT 10.13.3.9 cannot build an engine from first.onnx: "
        "Could not find any implementation for node block1/qkv."
    )
    assert Bundle.open(bundle.root).manifest == bundle.manifest


def test_the_parsers_complaint_names_the_node(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = install(monkeypatch, tmp_path)
    bundle = write_small_bundle(tmp_path)
    target = TensorRT(options())
    world.registry.clear()
    with pytest.raises(
        EngineBuildError, match=r"cannot parse first\.onnx: node block1/\S+ \(LIF\): Plug"
    ):
        build_engines(bundle, target, options())


def test_a_signed_bundle_has_to_be_signed_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    bundle, said = write_small_bundle(tmp_path), []
    (bundle.root / SIGNATURE_NAME).write_bytes(b"a signature")
    build_engines(bundle, TensorRT(options()), options(), said.append)
    assert any("sign" in line for line in said)
    said.clear()
    (bundle.root / SIGNATURE_NAME).unlink()
    build_engines(bundle, TensorRT(options()), options(), said.append)
    assert not any("sign" in line for line in said)


def test_building_again_replaces_the_engines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    bundle = write_small_bundle(tmp_path)
    first, second = build(bundle), build(bundle)
    assert list(first) == list(second)
    assert not {s.build for s in first.values()} & {s.build for s in second.values()}
    assert Bundle.open(bundle.root, verify=True)


def test_without_tensorrt_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, flavour="tensorrt-rtx")
    with pytest.raises(TargetMissingError, match=r"needs tensorrt.*\[tensorrt\].*Jetson"):
        TensorRT(options())


def test_an_old_tensorrt_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, version="8.6.2.3")
    with pytest.raises(TargetMissingError, match=r"8\.6\.2\.3 is too old.*JetPack 6\.1"):
        TensorRT(options())


def test_without_a_gpu_tensorrt_says_where_to_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, gpu=False)
    with pytest.raises(TargetMissingError, match=r"only on the GPU they are for.*tensorrt-rtx"):
        TensorRT(options())


def test_another_gpu_than_this_one_cannot_be_built_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    assert TensorRT(options(compute_capabilities=("8.6",))).compute_capabilities == ("8.6",)
    with pytest.raises(TargetMissingError, match=r"this machine's GPU \(8\.6\), not for 8\.7"):
        TensorRT(options(compute_capabilities=("8.6", "8.7")))


def test_missing_plugins_say_how_to_build_them_or_go_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    (tmp_path / "libspikehalt_plugins_trt10.so").unlink()
    with pytest.raises(TargetMissingError, match=r"python -m plugins build.*--no-plugins"):
        TensorRT(options())
    assert TensorRT(options(plugins=False)).plugin_library is None


def test_rtx_builds_for_the_gpus_asked_for_and_never_with_plugins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = install(monkeypatch, tmp_path, flavour="tensorrt-rtx", version="1.7.1.116", gpu=False)
    for op in fake.OPS:
        world.registry[op, "1", "elsewhere"] = object()
    bundle = write_small_bundle(tmp_path)
    chosen = options(compute_capabilities=("8.6", "8.9"))
    found = read_sidecars(build_engines(bundle, TensorRTRTX(chosen), chosen), "tensorrt-rtx")
    asked = [call[1:] for call in world.calls if call[0] == "set_compute_capability"]
    assert asked == [(fake.ComputeCapability.SM86, 0), (fake.ComputeCapability.SM89, 1)] * 2
    for name, sidecar in found.items():
        assert ".sm86+sm89." in name
        assert (sidecar.gpu, sidecar.plugins, sidecar.profiles) == (None, (), (8,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timing_cache": Path("x")}, "no --timing-cache"),
        ({"hardware_compatible": True}, "no --hardware-compatible: name the GPUs"),
        ({"version_compatible": True}, "never cross versions"),
        ({"compute_capabilities": ("9.0",)}, r"compute capability 9\.0; it builds for 7\.5, 8\.6"),
    ],
)
def test_what_rtx_does_not_have_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    install(monkeypatch, tmp_path, flavour="tensorrt-rtx", version="1.7.1.116")
    with pytest.raises(UnsupportedError, match=message):
        TensorRTRTX(options(**change))


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt-rtx"])
def test_auto_takes_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flavour: str
) -> None:
    version = "10.13.3.9" if flavour == "tensorrt" else "1.7.1.116"
    install(monkeypatch, tmp_path, flavour=flavour, version=version)
    assert open_target("auto", options()).flavour == flavour


def test_auto_without_a_gpu_builds_nothing_unless_gpus_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, flavour="tensorrt-rtx", version="1.7.1.116", gpu=False)
    with pytest.raises(TargetMissingError) as refused:
        open_target("auto", options())
    assert "needs tensorrt, which is not installed" in str(refused.value)
    assert "TensorRT-RTX is installed, but there is no NVIDIA driver" in str(refused.value)
    named = open_target("auto", options(compute_capabilities=("8.9",)))
    assert named.compute_capabilities == ("8.9",)


def test_sidecars_are_json_that_people_can_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    bundle = write_small_bundle(tmp_path)
    for name in build(bundle):
        text = (bundle.root / f"{name}.json").read_text()
        assert json.loads(text)["format"] == "spikehalt-engine"
        assert text.count("\n") > 20


def test_int8_graphs_for_onnx_runtime_get_no_engines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    with pytest.raises(UnsupportedError, match=r"for ONNX Runtime on a CPU.*--int8 --target"):
        build(write_small_bundle(tmp_path, "dense", precision="int8"))


def test_int8_graphs_for_engines_become_engines_whose_plugins_write_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    bundle = write_small_bundle(tmp_path, precision="int8", qdq=True)
    assert {sidecar.precision for sidecar in build(bundle).values()} == {"int8"}
    nodes = engines.load_graphs(bundle)["next"].graph.node
    types = {
        attribute.i
        for node in nodes if node.op_type == "LIF"
        for attribute in node.attribute if attribute.name == "spike_type"
    }  # fmt: skip
    assert types == {onnx.TensorProto.FLOAT, onnx.TensorProto.INT8}
