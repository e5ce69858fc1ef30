from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from runtime.backends.onnxruntime.inline import with_weights
from runtime.errors import BundleFormatError
from tests.runtime.backends.onnxruntime.test_files import external
from tests.runtime.toy import toy_files, toy_manifest

VALUES = np.arange(4, dtype=np.float32)
WEIGHTS = VALUES.tobytes()


def test_a_model_with_its_weights_inside_stays_as_it_is() -> None:
    model = toy_files(toy_manifest())["first.onnx"]

    assert with_weights(model, {}, "x") == model


def test_weights_come_in_wherever_a_tensor_may_stand() -> None:
    inner = helper.make_graph([], "inner", [], [], initializer=[external("c", "w.bin")])
    nodes = [
        helper.make_node("Constant", [], ["k"], value=external("k", "w.bin")),
        helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner),
    ]
    kept = numpy_helper.from_array(np.ones(3, np.float32), "kept")
    graph = helper.make_graph(nodes, "g", [], [], initializer=[external("w", "w.bin"), kept])
    graph.sparse_initializer.append(onnx.SparseTensorProto(values=external("s", "w.bin"), dims=[4]))
    model = helper.make_model(graph).SerializeToString()

    found = onnx.load_from_string(with_weights(model, {"w.bin": WEIGHTS}, "x")).graph

    tensors = [
        found.initializer[0],
        found.node[0].attribute[0].t,
        found.node[1].attribute[0].g.initializer[0],
        found.node[1].attribute[1].g.initializer[0],
        found.sparse_initializer[0].values,
    ]
    for tensor in tensors:
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), VALUES)
    assert found.initializer[1] == kept


def test_a_tensor_takes_its_part_of_the_file() -> None:
    tensor = external("w", "w.bin")
    tensor.dims[:] = [2]
    del tensor.external_data[1:]  # the location stays; no length: to the end
    tensor.external_data.add(key="offset", value="8")
    model = helper.make_model(helper.make_graph([], "g", [], [], initializer=[tensor]))

    found = onnx.load_from_string(
        with_weights(model.SerializeToString(), {"w.bin": WEIGHTS}, "x")
    ).graph.initializer[0]

    np.testing.assert_array_equal(numpy_helper.to_array(found), VALUES[2:])


@pytest.mark.parametrize(("offset", "length"), [("4", "16"), ("-4", "4"), ("0", "-1"), ("x", "1")])
def test_a_tensor_outside_its_file_is_refused(offset: str, length: str) -> None:
    tensor = external("w", "w.bin")
    tensor.external_data[1].value, tensor.external_data[2].value = offset, length
    model = helper.make_model(helper.make_graph([], "g", [], [], initializer=[tensor]))

    with pytest.raises(BundleFormatError, match="weights that are not there"):
        with_weights(model.SerializeToString(), {"w.bin": WEIGHTS}, "x")
