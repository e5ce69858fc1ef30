"""The graph builder: names, shared constants, outputs."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

import plugins
from export.graph.builder import GraphBuilder


def run(model: onnx.ModelProto, **feed: np.ndarray) -> list[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)  # type: ignore[no-any-return]


def test_equal_constants_are_stored_once() -> None:
    graph = GraphBuilder("g")
    assert graph.const([1.0, 2.0]) == graph.const(np.array([1.0, 2.0]))
    assert graph.const([1.0]) != graph.const([[1.0]])
    assert graph.const(1, np.int64) != graph.const(1, np.int32)


def test_names_follow_scopes_and_stay_unique() -> None:
    graph = GraphBuilder("g")
    x = graph.input("x", TensorProto.FLOAT, ["N"])
    with graph.scope("t1"), graph.scope("block1"):
        assert graph.op("Neg", x, name="flip") == "t1/block1/flip"
        assert graph.op("Neg", x, name="flip") == "t1/block1/flip.2"


def test_outputs_may_share_a_value_or_pass_an_input_on() -> None:
    graph = GraphBuilder("g")
    x = graph.input("x", TensorProto.FLOAT, ["N"])
    y = graph.op("Neg", x, name="a")
    for name, value in (("a", y), ("b", y), ("c", x)):
        graph.output(name, value, TensorProto.FLOAT, ["N"])
    a, b, c = run(graph.model([], "test"), x=np.array([1.0, -2.0], np.float32))
    np.testing.assert_array_equal(a, [-1, 2])
    np.testing.assert_array_equal(b, a)
    np.testing.assert_array_equal(c, [1, -2])


def test_scalars_stay_scalars() -> None:
    graph = GraphBuilder("g")
    x = graph.input("x", TensorProto.FLOAT, [])
    graph.output("y", graph.op("Add", x, graph.const(1.0)), TensorProto.FLOAT, [])
    (y,) = run(graph.model([], "test"), x=np.array(2.0, np.float32))
    assert y.shape == () and y == 3


def test_wrong_attributes_of_custom_ops_are_refused() -> None:
    graph = GraphBuilder("g")
    with pytest.raises(plugins.OpAttributeError, match="treshold"):
        graph.custom("LIF", ["x", "v"], 2, name="lif", decay=0.5, treshold=1.0)


def test_only_used_bodies_are_stored() -> None:
    graph = GraphBuilder("g")
    x = graph.input("x", TensorProto.FLOAT, ["N"])
    spike, _ = graph.custom(
        "LIF", [x, graph.const([0.0])], 2, name="lif", decay=0.5, threshold=1.0, spike_type=1
    )
    graph.output("spike", spike, TensorProto.FLOAT, ["N"])
    model = graph.model(plugins.onnx_functions(), "test")
    assert [function.name for function in model.functions] == ["LIF"]
    np.testing.assert_array_equal(run(model, x=np.array([0.5, 1.0], np.float32))[0], [0, 1])
