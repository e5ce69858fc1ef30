"""float16 graphs: what stays float32, what is exact, what may flip, what is refused (section 7)."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from export.bundle.write import check_model
from export.errors import UnsupportedError
from export.fold.float16 import check_float16, round_up
from export.fold.folded import NetworkPlan
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import EPSILON, dyadic_config, dyadic_network, pictures
from tests.export.running import run_first
from train.models import SpikingTransformer

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
ARCHITECTURES = ("spikformer", "spikingformer", "sdt")
FLOAT32_STATES = {"hist", "readout", "time", "size"}


@cache
def dyadic_plan(
    arch: str, stem: str = "isps", gamma: int = 0, threshold: float = 0.0
) -> NetworkPlan:
    config = dyadic_config(arch, stem, "block_time", gamma, merge_threshold=threshold)
    return make_plan(dyadic_network(config))


def half_graphs(plan: NetworkPlan, **options: Any) -> dict[str, onnx.ModelProto]:
    options = {"layout": "packed", **options}
    return unroll(plan, ExportOptions(precision="fp16", live_masks=True, **options))


def element_types(values: Any) -> dict[str, int]:
    return {value.name: value.type.tensor_type.elem_type for value in values}


@pytest.mark.parametrize("merging", [{"gamma": 3}, {"threshold": 0.9}])
@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_half_graphs_are_valid_and_keep_scores_readouts_and_logits_in_float32(
    arch: str, layout: str, merging: dict[str, Any]
) -> None:
    for name, model in half_graphs(dyadic_plan(arch, **merging), layout=layout).items():
        check_model(name, model)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        outputs = element_types(inferred.graph.output)
        assert outputs["logits"] == outputs["halt_score"] == FLOAT
        for output, kind in outputs.items():
            if output.rsplit(".", 1)[-1] in FLOAT32_STATES:
                assert kind == FLOAT, output
            if output.endswith("_lif"):
                assert kind == HALF, output
        between = element_types(inferred.graph.value_info)
        halts = [node for node in inferred.graph.node if "TokenHalt" in node.op_type]
        assert len(halts) == 3
        for node in halts:
            assert [between.get(n, FLOAT) for n in node.output[:3]] == [FLOAT] * 3


def test_every_weight_but_the_heads_is_float16() -> None:
    (model,) = half_graphs(dyadic_plan("spikformer"), chunk=4).values()
    wide = {i.name for i in model.graph.initializer if i.data_type == FLOAT and len(i.dims) >= 2}
    readers = {node.op_type for node in model.graph.node if wide & set(node.input)}
    # Normalisation, fillers of [B, K] and the start of the readout's sum; the classifier.
    assert readers <= {"Mul", "Add", "Expand", "Gemm"}
    gemms = [n for n in model.graph.node if n.op_type == "Gemm" and wide & set(n.input)]
    assert [node.name for node in gemms] == ["head/head"]


@pytest.mark.parametrize(
    ("arch", "stem"),
    [*product(ARCHITECTURES, ("sps", "isps")), ("maxformer", "sps"), ("qkformer", "sps")],
)
def test_with_dyadic_weights_float16_decides_exactly_as_float32(arch: str, stem: str) -> None:
    plan = dyadic_plan(arch, stem)
    full = unroll(plan, ExportOptions(chunk=4, layout="dense", live_masks=True, spike_ops=False))
    expected = run_first(full["first.onnx"], pictures(5), EPSILON)
    found = run_first(
        half_graphs(plan, chunk=4, layout="dense")["first.onnx"], pictures(5), EPSILON
    )
    assert len(expected.spikes) >= 3 * 4  # of all timesteps each
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], spikes, err_msg=name)
    np.testing.assert_array_equal(found.outputs["live_tokens"], expected.outputs["live_tokens"])
    np.testing.assert_allclose(found.outputs["logits"], expected.outputs["logits"], atol=1e-5)


def random_network(arch: str) -> SpikingTransformer:
    """Weights that no short binary fraction holds, of a size under which neurons fire."""
    network = dyadic_network(dyadic_config(arch, "isps", "block_time", 0))
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return network


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_with_arbitrary_weights_few_spikes_flip_and_the_class_stays(arch: str) -> None:
    plan, images = make_plan(random_network(arch)), pictures(32)
    full = unroll(plan, ExportOptions(chunk=4, layout="dense", live_masks=True, spike_ops=False))
    expected = run_first(full["first.onnx"], images, EPSILON)
    found = run_first(half_graphs(plan, chunk=4, layout="dense")["first.onnx"], images, EPSILON)

    flips = [np.mean(found.spikes[name] != spikes) for name, spikes in expected.spikes.items()]
    rates = [spikes.mean() for spikes in expected.spikes.values()]
    assert 0 < np.mean(flips) < 0.04 < np.mean(rates)
    same = found.outputs["logits"].argmax(1) == expected.outputs["logits"].argmax(1)
    assert same.mean() >= 0.9


@given(st.floats(2**-20, 60000, width=32))
def test_a_threshold_rounded_up_decides_as_before(value: float) -> None:
    rounded = round_up(np.float32(value))
    below = np.nextafter(rounded, np.float16(-np.inf))
    assert float(rounded) >= value > float(below)


def test_rate_steps_are_not_rounded_down() -> None:
    config = dyadic_config("spikformer", "isps", "none", 0)
    plan = make_plan(dyadic_network(config))
    (model,) = half_graphs(plan, chunk=4).values()
    arrays = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    (node,) = (node for node in model.graph.node if node.name == "stem/rate1")
    steps = set(arrays[node.input[1]].ravel().tolist())
    assert plan.stem.stairs is not None
    exact = [float(np.float32(at)) for at in plan.stem.stairs.at]
    assert any(float(np.float16(at)) < at for at in exact), "no step that rounding would lower"
    assert steps == {float(round_up(at)) for at in exact}


def test_an_overflowing_weight_is_refused_by_name() -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "none", 0))
    network.blocks[1].mlp.fc1.linear.weight.data[0, 0] = 3e5
    with pytest.raises(UnsupportedError, match=r"weights of fc1 in block 2.*150000.*fp32"):
        unroll(make_plan(network), ExportOptions(precision="fp16"))


def test_a_weight_that_is_no_number_is_refused() -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "none", 0))
    network.blocks[0].mlp.fc2.bn.bias.data[0] = float("nan")
    with pytest.raises(UnsupportedError, match="bias of fc2 in block 1"):
        check_float16(make_plan(network))


@pytest.mark.parametrize(("arch", "fits"), [("spikformer", False), ("sdt", True)])
def test_attention_sums_beyond_float16_are_refused(arch: str, fits: bool) -> None:
    config = dyadic_config(arch, "isps", "none", 0, image_size=(96, 96))  # 9216 tokens, width 8
    plan = make_plan(dyadic_network(config))
    if fits:
        check_float16(plan)
    else:
        with pytest.raises(UnsupportedError, match="attention spikes, up to 73728"):
            check_float16(plan)
