"""Graphs of standard ops alone, and other programs that run and rewrite them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from export.errors import UnsupportedError
from export.fold.network import make_plan
from export.graph.quotients import round_quotients
from export.graph.unroll import unroll
from export.options import ExportOptions
from spikehalt.extras import install_command
from tests.export.dyadic import dyadic_config, dyadic_network, pictures
from tests.export.running import run_first

WITHOUT = f"OpenVINO and onnxslim are missing: {install_command('openvino')}"
LAYOUTS = ("packed", "dense", "lagged")


def graphs(
    layout: str, gamma: int = 3, threshold: float = 0.0, **options: object
) -> dict[str, onnx.ModelProto]:
    config = dyadic_config("spikformer", "isps", "block_time", gamma, merge_threshold=threshold)
    network = dyadic_network(config)
    chosen = ExportOptions(layout=layout, **{"chunk": 4, **options})  # type: ignore[arg-type]
    return unroll(make_plan(network), chosen)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_node_is_standard(layout: str) -> None:
    for model in graphs(layout, chunk=1, inline_functions=True).values():
        onnx.checker.check_model(model, full_check=True)
        assert not model.functions
        assert {each.domain for each in (*model.graph.node, *model.opset_import)} == {""}


def test_nodes_without_a_body_are_named() -> None:
    with pytest.raises(UnsupportedError, match=r"MatMulIntegerToFloat .*--qdq"):
        graphs("packed", precision="int8", inline_functions=True)


@pytest.mark.parametrize(("gamma", "threshold"), [(0, 0.0), (3, 0.0), (0, 0.9)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_openvino_runs_them_as_onnx_runtime_runs_the_ops(
    layout: str, gamma: int, threshold: float
) -> None:
    openvino = pytest.importorskip("openvino", reason=WITHOUT)
    images, epsilon = pictures(3), np.float32(0.25)
    (functions,) = graphs(layout, gamma, threshold).values()
    (inlined,) = graphs(layout, gamma, threshold, inline_functions=True).values()

    expected = run_first(functions, images, float(epsilon)).outputs
    model = openvino.Core().read_model(inlined.SerializeToString())
    found = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(
        {"image": images, "epsilon": epsilon}
    )
    assert set(expected) == {name for port in model.outputs for name in port.names} >= {"logits"}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-5, err_msg=name)


def test_quotients_by_roots_are_the_nearest_floats_in_openvino_too() -> None:
    """It multiplies by the reciprocal, which is another number for one pair in four."""
    openvino = pytest.importorskip("openvino", reason=WITHOUT)
    rng, size = np.random.default_rng(0), [4096]
    feeds = {name: rng.integers(1, 4000, size).astype(np.float32) for name in ("dot", "square")}
    nodes = [
        onnx.helper.make_node("Sqrt", ["square"], ["norm"]),
        onnx.helper.make_node("Div", ["dot", "norm"], ["cosine"]),
    ]
    ports = {
        name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size)
        for name in (*feeds, "cosine")
    }
    graph = onnx.helper.make_graph(nodes, "g", [ports["dot"], ports["square"]], [ports["cosine"]])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9
    )
    round_quotients(model)
    loaded = openvino.Core().read_model(model.SerializeToString())
    found = openvino.compile_model(loaded, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(feeds)
    np.testing.assert_array_equal(found["cosine"], feeds["dot"] / np.sqrt(feeds["square"]))


def test_onnxslim_rewrites_them_to_the_same_answers() -> None:
    """Without its folding of constants, which makes floats of some of them doubles (0.1.98)."""
    onnxslim = pytest.importorskip("onnxslim", reason=WITHOUT)
    images = pictures(3)
    (inlined,) = graphs("packed", inline_functions=True).values()
    expected = run_first(inlined, images, 0.25).outputs

    slim = onnxslim.slim(inlined, skip_optimizations=["constant_folding"])
    assert len(slim.graph.node) < len(inlined.graph.node)
    for name, value in run_first(slim, images, 0.25).outputs.items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-6, err_msg=name)
