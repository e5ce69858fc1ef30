from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.backends.onnxruntime.files import external_files
from runtime.errors import BundleFormatError
from tests.runtime.toy import toy_files, toy_manifest


def external(name: str, location: str) -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def test_a_model_with_its_weights_inside_refers_to_nothing() -> None:
    assert external_files(toy_files(toy_manifest())["first.onnx"], "x") == set()


def test_references_are_found_wherever_a_tensor_may_stand() -> None:
    inner = helper.make_graph([], "inner", [], [], initializer=[external("c", "c.bin")])
    nodes = [
        helper.make_node("Constant", [], ["k"], value=external("k", "k.bin")),
        helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner),
    ]
    graph = helper.make_graph(nodes, "g", [], [], initializer=[external("w", "../w.bin")])
    sparse = onnx.SparseTensorProto(values=external("s", "s.bin"), dims=[4])
    graph.sparse_initializer.append(sparse)
    body = [helper.make_node("Constant", [], ["f"], value=external("f", "/f.bin"))]
    function = helper.make_function("d", "F", [], ["f"], body, [helper.make_opsetid("", 17)])
    model = helper.make_model(graph, functions=[function])

    names = external_files(model.SerializeToString(), "x")

    assert names == {"../w.bin", "c.bin", "k.bin", "s.bin", "/f.bin"}


@pytest.mark.parametrize(
    "data", [b"\xff" * 20, b"\x0a", b"\x0a\x05ab", b"\x3a\x02\xff\xff", b"\x0b", b"\x09\x00"]
)
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(BundleFormatError, match="not an ONNX model"):
        external_files(data, "x")


def test_endless_nesting_is_refused() -> None:
    message = b""
    for _ in range(200):  # graph in attribute in node in graph ...
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            message = tag + _size(len(message)) + message
    message = b"\x3a" + _size(len(message)) + message

    with pytest.raises(BundleFormatError, match="levels deep"):
        external_files(message, "x")


def _size(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
