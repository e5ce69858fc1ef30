"""int8 bundles: exact activations, proven to fit; rounded weights; accuracy kept (section 7)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from export import to_trt
from export.bundle.write import check_model, export_bundle
from export.engines.profiles import INTEGER_PRODUCTS
from export.fold.exact import (
    LARGEST_ACTIVATION,
    Exact,
    integer_steps,
    quantise,
    rate_range,
    token_range,
)
from export.fold.folded import NetworkPlan
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from runtime import Engine
from tests.export.dyadic import (
    Bundle,
    Numpy,
    OnnxRuntime,
    assert_same,
    dyadic_config,
    dyadic_network,
    pictures,
)
from train.config import ModelConfig
from train.data import load_data
from train.loop.run import run
from train.recipes import load_recipe

ARCHITECTURES = ("spikformer", "spikingformer", "sdt")
LAYERS = 4  # qkv, proj, fc1, fc2


@cache
def plan_of(arch: str, stem: str = "isps", gamma: int = 0, threshold: float = 0.0) -> NetworkPlan:
    config = dyadic_config(arch, stem, "block_time", gamma, merge_threshold=threshold)
    return make_plan(dyadic_network(config))


def int8_graphs(plan: NetworkPlan, chunk: int = 4, layout: str = "packed") -> dict:
    return unroll(
        plan, ExportOptions(chunk=chunk, layout=layout, precision="int8", live_masks=True)
    )


def products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type in INTEGER_PRODUCTS]


def spied(model: onnx.ModelProto, images: NDArray) -> dict[str, NDArray]:
    """Run in ONNX Runtime; the uint8 inputs of every integer product, by name."""
    names = sorted({node.input[0] for node in products(model)})
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for name in names:
        copy.graph.output.append(onnx.helper.make_tensor_value_info(name, 2, None))
    session = OnnxRuntime(copy, ["block1/mlp_residual"])
    found = session({"image": images, "epsilon": np.array(0.01, np.float32)})
    return {name: found[name] for name in names}


@given(st.integers(0, 2**32 - 1))
def test_a_rounded_weight_is_off_by_at_most_half_a_step(seed: int) -> None:
    weight = np.random.default_rng(seed).normal(size=(16, 5)).astype(np.float32)
    weight[:, 2] = 0
    q = quantise(weight)
    error = np.abs(q.scale.astype(np.float64) * q.values - weight)
    assert (error <= q.scale * 0.5 * (1 + 1e-5)).all()
    largest = np.abs(weight).max(0)
    assert np.array_equal(np.abs(q.values).max(0), np.where(largest > 0, 127, 0))


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_sums_of_the_largest_bytes_do_not_saturate(sign: int) -> None:
    """Processors without VNNI add pairs of byte products in 16 bits."""
    weight = np.full((64, 32), sign * 127, np.int8)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMulInteger", ["x", "weight"], ["y"])],
        "product",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, [None, 64])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT32, [None, 32])],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.full((5, 64), LARGEST_ACTIVATION, np.uint8)
    (y,) = session.run(None, {"x": x})
    assert (y == 64 * LARGEST_ACTIVATION * sign * 127).all()


def test_what_could_saturate_stays_float() -> None:
    assert Exact(1.0, LARGEST_ACTIVATION).fits
    assert not Exact(1.0, LARGEST_ACTIVATION + 1).fits


@given(
    st.floats(-2, 2, width=32),
    st.floats(2**-12, 2**-4, width=32),
    st.floats(-2, 2, width=32),
)
def test_a_step_of_the_integers_is_the_step_of_the_current(
    at: float, scale: float, bias: float
) -> None:
    (step,) = integer_steps(
        np.array([at], np.float32), np.array([scale], np.float32), np.array([bias], np.float32)
    )[0]
    for n in (int(step) - 1, int(step), int(step) + 1):
        current = scale * n + bias
        assert (n >= step) == (current >= at) or np.isclose(current, at, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("arch", "stem", "gamma", "linear", "convolutions"),
    [
        ("spikformer", "isps", 0, 12, 4),
        ("spikingformer", "isps", 0, 12, 4),
        ("sdt", "isps", 0, 12, 4),
        ("spikformer", "sps", 0, 12, 0),  # SPS convolutions stay float
        (
            "spikformer",
            "isps",
            25,
            8,
            4,
        ),  # merged tokens outgrow a byte: from block 1 on, both inputs
    ],
)
def test_everything_provable_is_integer(
    arch: str, stem: str, gamma: int, linear: int, convolutions: int
) -> None:
    config = replace(dyadic_config(arch, stem, "block_time", gamma), depth=3)
    (model,) = int8_graphs(make_plan(dyadic_network(config)), chunk=4).values()
    found = {n.name for n in products(model)}  # one each, whatever the timesteps
    stem_products = {name for name in found if name.startswith("stem/")}
    fits = [
        token_range(config, block, after_attention=after)
        for block in (1, 2, 3)
        for after in (False, True)
    ]
    kept = sum(1 for each in fits if each is not None and not each.fits)
    assert len(stem_products) == convolutions
    assert len(found) - convolutions == 3 * LAYERS - kept
    assert (kept > 0) == (gamma == 25)


@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_bytes_never_leave_their_proven_range(arch: str, stem: str) -> None:
    plan = plan_of(arch, stem)
    (model,) = int8_graphs(plan).values()
    seen = spied(model, pictures(8))
    assert seen
    tops = {name: int(values.max(initial=0)) for name, values in seen.items()}
    for name, top in tops.items():
        assert top <= bound_of(plan.config, name), (name, top)
    assert any(top == 1 for top in tops.values())


def bound_of(config: ModelConfig, name: str) -> int:
    """The proven range of a byte tensor, by its place."""
    if "stem" in name:
        return rate_range(config).highest
    block = int(name.split("block")[1][0])
    if name.endswith(("qkv_bytes", "fc1_bytes")):
        found = token_range(config, block, after_attention="fc1" in name)
        return found.highest if found is not None else 1
    return 1


def test_the_range_is_reached_by_a_network_that_always_fires() -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "none", 0))
    for name, parameter in network.named_parameters():
        if name.endswith("bn.bias"):
            parameter.data.fill_(100.0)
    plan = make_plan(network)
    (model,) = int8_graphs(plan, layout="dense").values()
    seen = spied(model, pictures(2))
    last = token_range(plan.config, 3, after_attention=True)
    assert last is not None
    assert max(int(v.max()) for v in seen.values()) == last.highest == 4 * (2 + 2 * 2 + 1)


# A merge adds currents in any order; only spikes add up exactly.
@pytest.mark.parametrize(
    ("arch", "gamma", "threshold"),
    [*((arch, 0, 0.0) for arch in ARCHITECTURES), ("spikformer", 3, 0.0), ("spikformer", 0, 0.9)],
)
def test_numpy_and_onnx_runtime_agree_in_every_layout_and_chunk(
    arch: str, gamma: int, threshold: float
) -> None:
    plan, images = plan_of(arch, "isps", gamma, threshold), pictures(3)
    expected = Bundle(Numpy, int8_graphs(plan), plan.config, 4).run(images)
    for layout, chunk in (("packed", 1), ("packed", 2), ("dense", 1)):
        graphs = int8_graphs(plan, chunk, layout)
        for name, model in graphs.items():
            check_model(name, model)
        found = Bundle(OnnxRuntime, graphs, plan.config, chunk).run(images)
        for t, live in enumerate(expected.live):
            assert all(np.array_equal(a, b) for a, b in zip(live, found.live[t], strict=True))
        if chunk == 1:
            expected.logits[:3] = found.logits[:3]
            expected.halt_score[:3] = found.halt_score[:3]
            assert_same(expected, found)


def plan_that_int8_holds(arch: str = "spikformer", stem: str = "isps") -> NetworkPlan:
    """Each channel's largest weight is made 127 / 128 of a power of two: nothing is rounded."""
    network = dyadic_network(dyadic_config(arch, stem, "block_time", 0))
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.data = (parameter * 8).round().clamp(-63, 63) / 64
            parameter.data.flatten(1)[:, 0] = 127 / 128
    return make_plan(network)


def test_with_weights_that_int8_holds_the_graph_decides_as_float32() -> None:
    plan = plan_that_int8_holds()
    full = unroll(plan, ExportOptions(chunk=4, layout="packed", live_masks=True))
    expected = Bundle(OnnxRuntime, full, plan.config, 4).run(pictures(5))
    found = Bundle(OnnxRuntime, int8_graphs(plan), plan.config, 4).run(pictures(5))
    assert_same(expected, found)


@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_for_engines_too_it_decides_as_float32_with_weights_that_int8_holds(
    arch: str, stem: str
) -> None:
    plan = plan_that_int8_holds(arch, stem)
    options = ExportOptions(chunk=4, layout="dense", live_masks=True)
    expected = Bundle(OnnxRuntime, unroll(plan, options), plan.config, 4).run(pictures(5))
    graphs = unroll(plan, replace(options, precision="int8", qdq=True))
    check_model("first", graphs["first.onnx"])
    assert_same(expected, Bundle(OnnxRuntime, graphs, plan.config, 4).run(pictures(5)))


def kinds_of_inputs(model: onnx.ModelProto, kind: str) -> list[tuple[str, ...]]:
    """Which ops the first two inputs of every node of a kind come from."""
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    nodes = (node for node in model.graph.node if node.op_type == kind)
    return [tuple(made_by.get(name, "constant") for name in node.input[:2]) for node in nodes]


@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_engines_get_both_inputs_of_every_layer_dequantised_but_the_first_and_the_last(
    arch: str, stem: str
) -> None:
    plan = make_plan(dyadic_network(replace(dyadic_config(arch, stem, "block_time", 0), depth=1)))
    graph = unroll(plan, ExportOptions(chunk=4, layout="dense", precision="int8", qdq=True))[
        "first.onnx"
    ]
    both = ("DequantizeLinear", "DequantizeLinear")
    linear, conv = kinds_of_inputs(graph, "Gemm"), kinds_of_inputs(graph, "Conv")
    assert [pair for pair in linear if pair != both] == [("Div", "constant")], "the head"
    assert [pair for pair in conv if pair != both] == [conv[0]], "the first convolution"
    assert not products(graph)


def test_signed_bytes_hold_half_of_what_bytes_do() -> None:
    assert Exact(0.25, 127).fits_signed and not Exact(0.25, 128).fits_signed
    assert Exact(0.25, 128).fits and not Exact(1 / 3, 3).fits_signed


def test_other_lengths_than_powers_of_two_keep_spike_rates_in_float() -> None:
    config = dyadic_config("spikformer", "isps", "none", 0, timesteps=3)
    assert rate_range(config) == Exact(1 / 3, 3)
    (model,) = unroll(
        make_plan(dyadic_network(config)), ExportOptions(chunk=3, layout="dense", precision="int8")
    ).values()
    assert {n.name.split("/")[-1] for n in products(model)} == {"proj", "fc2"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits recipe, trained for a few epochs."""
    config = load_recipe("digits")
    short = replace(
        config,
        static=replace(config.static, epochs=4),
        halting=replace(config.halting, epochs=2),
        out=str(tmp_path_factory.mktemp("digits")),
    )
    return Path(run(short).checkpoints["halting"])


@pytest.mark.slow  # as it trains the model
def test_accuracy_of_a_trained_model_stays_within_a_third_of_a_point(
    trained: Path, tmp_path: Path
) -> None:
    config = load_recipe("digits")
    data = load_data(config.data, config.model, config.seed)
    images = np.concatenate([s.images.numpy() for s in (data.train, data.validation, data.test)])
    labels = np.concatenate([s.labels.numpy() for s in (data.train, data.validation, data.test)])
    accuracy = {}
    for precision in ("fp32", "int8"):
        options = ExportOptions(precision=precision)  # type: ignore[arg-type]
        bundle = export_bundle(trained, tmp_path / f"{precision}.bundle", options)
        assert bundle.manifest.precision == precision
        with Engine(bundle.root, policy="never") as engine:
            answers = engine(np.ascontiguousarray(images.transpose(0, 2, 3, 1))).labels
        accuracy[precision] = float((answers == labels).mean())
    assert accuracy["fp32"] > 0.85
    assert abs(accuracy["int8"] - accuracy["fp32"]) <= 0.003, accuracy


def test_the_command_writes_an_int8_bundle(trained: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.bundle"
    assert to_trt.main([str(trained), "--int8", "--onnx-only", "--out", str(target)]) == 0
    whole = export_bundle(trained, tmp_path / "whole.bundle")
    with Engine(target) as engine:
        assert engine.manifest.precision == "int8"
    size, full = ((root / "weights.bin").stat().st_size for root in (target, whole.root))
    assert size < 0.5 * full
