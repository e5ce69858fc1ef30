"""Ways to hide an external file from one protobuf parser and show it to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx
from google.protobuf.message import Message
from onnx import TensorProto, helper, numpy_helper

from runtime.backends.onnxruntime.protobuf import BYTES, number_bytes

HIDDEN = "elsewhere.bin"
Spelling = Callable[[int], bytes]  # of a tag


def external(name: str, location: str) -> onnx.TensorProto:
    """A float32 [4] tensor whose data lies in a file."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def nested_model(location: str) -> onnx.ModelProto:
    """A model with an external tensor wherever one may stand."""
    inner = helper.make_graph([], "inner", [], [], initializer=[external("c", location)])
    sparse = onnx.SparseTensorProto(values=external("s", location), dims=[4])
    sparse.indices.CopyFrom(external("i", location))
    nodes = [
        helper.make_node("Constant", [], ["k"], value=external("k", location)),
        helper.make_node("Constant", [], ["z"], sparse_value=sparse),
        helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner),
        helper.make_node("X", [], [], domain="d", many=[external("m", location)], graphs=[inner]),
    ]
    graph = helper.make_graph(nodes, "g", [], [], initializer=[external("w", location)])
    graph.sparse_initializer.append(sparse)
    body = [helper.make_node("Constant", [], ["f"], value=external("f", location))]
    function = helper.make_function("d", "F", [], ["f"], body, [helper.make_opsetid("", 17)])
    function.attribute_proto.append(helper.make_attribute("t", external("a", location)))
    model = helper.make_model(graph, functions=[function])
    model.training_info.add().algorithm.CopyFrom(inner)
    return model


def external_locations(message: Message) -> Iterator[str]:
    """Files that the package onnx's own parser finds, wherever they stand."""
    if isinstance(message, TensorProto) and message.data_location == TensorProto.EXTERNAL:
        yield from (each.value for each in message.external_data if each.key == "location")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if isinstance(value, Message) else value:
                yield from external_locations(each)


def _field(number: int, content: bytes, spelled: Spelling = number_bytes) -> bytes:
    return spelled(number << 3 | BYTES) + number_bytes(len(content)) + content


def _needless_byte(tag: int) -> bytes:
    plain = number_bytes(tag)
    return plain[:-1] + bytes([plain[-1] | 0x80, 0])


def _beyond_32_bits(tag: int) -> bytes:
    return number_bytes(tag | 1 << 32)


_EMPTY = onnx.ModelProto(ir_version=10).SerializeToString()  # a graph follows
_OUTSIDE = onnx.TensorProto(
    name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL
).SerializeToString()
_PLACE = _field(1, b"location") + _field(2, HIDDEN.encode())


def _model(
    *,
    graph: Spelling = number_bytes,
    tensor: Spelling = number_bytes,
    data: Spelling = number_bytes,
    outside: bytes = _OUTSIDE,
    before: bytes = b"",
) -> bytes:
    """A model with an external initializer, its tags spelled as said."""
    initializer = before + outside + _field(13, _PLACE, data)
    return _EMPTY + _field(7, _field(5, initializer, tensor), graph)


def _two_halves() -> bytes:
    """An attribute that parsers merge: one half says that its data lies outside, one says where."""
    attribute = _field(1, b"value") + _field(5, _OUTSIDE) + _field(5, _field(13, _PLACE))
    return _EMPTY + _field(7, _field(1, _field(4, b"Constant") + _field(5, attribute)))


SMUGGLED = {
    "a tag of external_data beyond 32 bits": _model(data=_beyond_32_bits),
    "a tag of the initializer beyond 32 bits": _model(tensor=_beyond_32_bits),
    "a tag of the graph beyond 32 bits": _model(graph=_beyond_32_bits),
    "a tag with a needless byte": _model(data=_needless_byte),
    "an unknown field": _model(before=_field(99, b"")),
    "an unknown group": _model(before=number_bytes(99 << 3 | 3) + number_bytes(99 << 3 | 4)),
    "a location of more than 32 bits": _model(
        outside=_OUTSIDE.replace(b"\x70\x01", b"\x70" + number_bytes(1 | 1 << 32))
    ),
    "a location said twice": _model(before=b"\x70\x00"),
    "an attribute in two halves": _two_halves(),
}
SMUGGLED_PLAINLY = _model()  # what a bundle's list of files catches
