"""TensorRT-RTX really builds what is exported, ahead of time, with no GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from onnx import helper

from export.engines.build import build_engines, load_graphs
from export.engines.profiles import BatchRange, InputProfile, ShapedGraph, shape_graph
from export.engines.targets.base import EngineOptions
from export.errors import EngineBuildError, UnsupportedError
from runtime.bundle.engine_manifest import read_sidecars
from runtime.bundle.read import Bundle
from tests.fakes.bundles import write_small_bundle
from train.models import NAMED_MODELS

pytestmark = pytest.mark.tensorrt
tensorrt_rtx = pytest.importorskip(
    "tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install 'spikehalt[tensorrt-rtx]'"
)

from export.engines.targets.tensorrt_rtx import TensorRTRTX  # noqa: E402

ARCHITECTURES = sorted({each.arch for each in NAMED_MODELS.values() if not each.stages})
# Stem and merging differ between the architectures, so that all of them are built somewhere.
FORMS: dict[str, dict[str, Any]] = {
    "spikformer": {"stem": "isps", "gamma": 0},
    "spikingformer": {"stem": "sps", "gamma": 3},
    "sdt": {"stem": "isps", "gamma": 3},
}
# Where no token halts, a second block has no node that the first has not.
PLAIN = {"gamma": 0, "depth": 1}
GRAPHS = ("first", "next")
MAGIC = b"vtrt"
CAPABILITIES = ("8.6",)


def built(
    folder: Path, batch: str, capabilities: tuple[str, ...] = CAPABILITIES, **changes: Any
) -> Bundle:
    """A small bundle of two timesteps, and its engines."""
    changes["qdq"] = changes.get("precision") == "int8"
    bundle = write_small_bundle(folder, **{"timesteps": 2, **changes})
    options = EngineOptions(batch=BatchRange.parse(batch), compute_capabilities=capabilities)
    return build_engines(bundle, TensorRTRTX(options), options)


def assert_complete(
    bundle: Bundle,
    precision: str,
    graphs: tuple[str, ...] = GRAPHS,
    capabilities: tuple[str, ...] = CAPABILITIES,
) -> None:
    """Every graph has an engine that says what it is."""
    sidecars = read_sidecars(bundle, "tensorrt-rtx")
    assert tuple(sorted(sidecar.graph for sidecar in sidecars.values())) == graphs
    for name, sidecar in sidecars.items():
        assert bundle.read(name).startswith(MAGIC)
        assert sidecar.version == tensorrt_rtx.__version__
        assert sidecar.precision == precision
        assert sidecar.compute_capabilities == capabilities
        assert sidecar.plugins == ()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize(
    ("mode", "layout"), [("none", "dense"), ("block_time", "dense"), ("block_time", "lagged")]
)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_builds(
    tmp_path: Path, arch: str, mode: str, layout: str, precision: str
) -> None:
    form = FORMS[arch] if mode != "none" else {"stem": "isps", **PLAIN}
    bundle = built(
        tmp_path, "1:2:4", arch=arch, mode=mode, layout=layout, precision=precision, **form
    )
    assert_complete(bundle, precision)


def test_one_engine_serves_several_kinds_of_gpu(tmp_path: Path) -> None:
    kinds = ("8.6", "8.9")
    assert_complete(built(tmp_path, "1:2:4", kinds), "fp32", capabilities=kinds)


@pytest.mark.parametrize(("layout", "precision"), [("lagged", "fp16"), ("dense", "int8")])
@pytest.mark.parametrize("arch", ["maxformer", "qkformer"])
def test_convolutional_stages_build(tmp_path: Path, arch: str, layout: str, precision: str) -> None:
    bundle = built(tmp_path, "1:2:4", arch=arch, mode="block_time", stem="sps", gamma=1,
                   layout=layout, precision=precision)  # fmt: skip
    assert_complete(bundle, precision)


@pytest.mark.parametrize(("mode", "layout", "precision"), [
    ("none", "lagged", "fp32"), ("block_time", "dense", "fp16"), ("block_time", "lagged", "int8"),
])  # fmt: skip
def test_merging_what_is_similar_builds(
    tmp_path: Path, mode: str, layout: str, precision: str
) -> None:
    bundle = built(tmp_path, "1:2:4", mode=mode, layout=layout, precision=precision,
                   merge_threshold=0.9)  # fmt: skip
    assert_complete(bundle, precision)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_networks_of_one_timestep_build(tmp_path: Path, precision: str) -> None:
    bundle = built(tmp_path, "1:2:4", arch="espikeformer", mode="block_time", timesteps=1,
                   stem="sps", gamma=0, layout="dense", precision=precision)  # fmt: skip
    assert_complete(bundle, precision, ("first",))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize(
    ("mode", "layout"), [("none", "dense"), ("block_time", "dense"), ("block_time", "lagged")]
)
def test_chunks_of_several_timesteps_build(
    tmp_path: Path, mode: str, layout: str, precision: str
) -> None:
    form = {"stem": "sps", **({"gamma": 3} if mode != "none" else PLAIN)}
    bundle = built(
        tmp_path, "1:2:4", timesteps=4, chunk=2, mode=mode, layout=layout, precision=precision,
        **form,
    )  # fmt: skip
    assert_complete(bundle, precision)


@pytest.mark.parametrize("gamma", [0, 3])
@pytest.mark.parametrize("corner", ["smallest", "typical", "largest"])
def test_row_lists_of_every_length_build(tmp_path: Path, corner: str, gamma: int) -> None:
    """Shapes are checked when they are known: with a profile only at run time, so fix them here.

    A list padded to a multiple of 64 can be longer than there are tokens.
    """
    bundle = write_small_bundle(tmp_path, "lagged", timesteps=2, gamma=gamma)
    slots = bundle.manifest.tokens_per_block
    shaped = shape_graph(load_graphs(bundle)["next"], (BatchRange(1, 1, 1),), slots)
    (profile,) = shaped.profiles
    fixed = {
        name: InputProfile(*[getattr(each, corner)] * 3)  # one shape is all three
        for name, each in profile.items()
    }
    TensorRTRTX(EngineOptions()).build(replace(shaped, profiles=(fixed,)))


@pytest.mark.parametrize("mode", ["block", "block_time"])
def test_halting_with_static_shapes_builds(tmp_path: Path, mode: str) -> None:
    bundle = built(tmp_path, "1", mode=mode, layout="dense", precision="fp16")
    assert_complete(bundle, "fp16")
    (sidecar, _) = read_sidecars(bundle, "tensorrt-rtx").values()
    assert sidecar.batch == (1, 1, 1)


def test_the_parsers_verdict_is_one_sentence_that_names_the_node(tmp_path: Path) -> None:
    bundle = write_small_bundle(tmp_path, "packed", timesteps=2)
    options = EngineOptions()
    with pytest.raises(UnsupportedError, match=r"packed layout.*--layout dense"):
        build_engines(bundle, TensorRTRTX(options), options)

    graph = with_a_node_it_lacks(write_small_bundle(tmp_path / "dense", "dense", timesteps=2))
    with pytest.raises(EngineBuildError) as refused:
        TensorRTRTX(options).build(graph)
    text = str(refused.value)
    assert f"TensorRT-RTX {tensorrt_rtx.__version__} cannot parse first.onnx: node found " in text
    assert "(NonZero)" in text and "\n" not in text


def with_a_node_it_lacks(bundle: Bundle) -> ShapedGraph:
    model = load_graphs(bundle)["first"]
    model.graph.node.append(helper.make_node("NonZero", ["logits"], ["found"], name="found"))
    return shape_graph(model, (BatchRange(1, 1, 1),), (64, 64))


def test_the_builders_verdict_is_one_sentence(tmp_path: Path) -> None:
    bundle = write_small_bundle(tmp_path, "dense", mode="none", timesteps=2)
    shaped = shape_graph(load_graphs(bundle)["first"], (BatchRange(1, 2, 4),), (64, 64))
    unprofiled = ShapedGraph(shaped.model, shaped.ranges, (), {})
    with pytest.raises(
        EngineBuildError, match=r"cannot build an engine from first\.onnx: .*profile"
    ):
        TensorRTRTX(EngineOptions()).build(unprofiled)


def test_a_gpu_it_does_not_know_is_refused_with_those_it_knows() -> None:
    with pytest.raises(UnsupportedError, match=r"no GPU of compute capability 8\.7.*8\.6, 8\.9"):
        TensorRTRTX(EngineOptions(compute_capabilities=("8.7",)))
