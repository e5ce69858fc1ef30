from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from runtime.backends.onnxruntime.inline import with_names_in_memory, with_weights
from runtime.errors import BundleFormatError
from tests.runtime.backends.onnxruntime.smuggling import (
    external,
    external_locations,
    nested_model,
)
from tests.runtime.toy import toy_files, toy_manifest

VALUES = np.arange(4, dtype=np.float32)
WEIGHTS = VALUES.tobytes()


def test_a_model_with_its_weights_inside_stays_as_it_is() -> None:
    model = toy_files(toy_manifest())["first.onnx"]

    assert with_weights(model, {}, "x") == model


def test_weights_come_in_wherever_a_tensor_may_stand() -> None:
    model = nested_model("w.bin")
    assert set(external_locations(model)) == {"w.bin"}

    content = with_weights(model.SerializeToString(), {"w.bin": WEIGHTS}, "x")

    found = onnx.load_from_string(content)
    assert not set(external_locations(found))
    assert found == onnx.load_from_string(with_weights(content, {}, "x"))
    for tensor in (found.graph.initializer[0], found.graph.node[0].attribute[0].t):
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), VALUES)


def test_the_main_graphs_weights_get_names_that_no_file_has() -> None:
    model = nested_model("w.bin").SerializeToString()

    content, memory = with_names_in_memory(model, {"w.bin": WEIGHTS}, "x")

    found = onnx.load_from_string(content)
    assert list(memory.values()) == [WEIGHTS]
    assert list(external_locations(found)) == list(memory)  # one of many, and made up
    assert found.graph.initializer[0].external_data[0].value not in model.decode(errors="replace")
    assert with_names_in_memory(model, {"w.bin": WEIGHTS}, "x")[1].keys() != memory.keys()


def test_a_place_that_does_not_count_is_left_out() -> None:
    tensor = external("w", "w.bin")
    tensor.data_location = onnx.TensorProto.DEFAULT
    tensor.raw_data = WEIGHTS
    model = helper.make_model(helper.make_graph([], "g", [], [], initializer=[tensor]))

    content = with_weights(model.SerializeToString(), {"w.bin": WEIGHTS}, "x")

    (found,) = onnx.load_from_string(content).graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(found), VALUES)
    assert not found.external_data


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
