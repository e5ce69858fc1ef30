from __future__ import annotations

import contextlib
from typing import Any

import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from runtime.backends.onnxruntime.files import external_files
from runtime.backends.onnxruntime.messages import MESSAGES
from runtime.backends.onnxruntime.protobuf import BYTES, FIXED32, FIXED64, VARINT
from runtime.errors import BundleFormatError
from tests.runtime.backends.onnxruntime.smuggling import (
    HIDDEN,
    SMUGGLED,
    SMUGGLED_PLAINLY,
    external_locations,
    nested_model,
)
from tests.runtime.toy import toy_files, toy_manifest


def test_a_model_with_its_weights_inside_refers_to_nothing() -> None:
    assert external_files(toy_files(toy_manifest())["first.onnx"], "x") == set()


def test_references_are_found_wherever_a_tensor_may_stand() -> None:
    assert external_files(nested_model("../w.bin").SerializeToString(), "x") == {"../w.bin"}


_WIRES = {
    **dict.fromkeys((FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES), BYTES),
    FieldDescriptor.TYPE_MESSAGE: BYTES,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
}


def _stated(message: Any, name: str, found: dict[str, Any]) -> None:
    """Compare what we know of a message, and of those in it, with onnx's own description."""
    found[name] = message.full_name
    tags = set()
    for field in message.fields:
        wire = _WIRES.get(field.type, VARINT)
        known = MESSAGES[name][field.number << 3 | wire]
        tags |= {field.number << 3 | wire}
        if field.is_repeated and wire != BYTES:
            tags |= {field.number << 3 | BYTES}
        assert known.once != field.is_repeated, field.full_name
        assert bool(known.child) == (field.message_type is not None), field.full_name
        if known.child not in ("", *found):
            _stated(field.message_type, known.child, found)
        if known.child:
            assert found[known.child] == field.message_type.full_name
    assert tags == MESSAGES[name].keys(), name


def test_the_messages_are_those_of_onnx() -> None:
    found: dict[str, Any] = {}
    _stated(onnx.ModelProto.DESCRIPTOR, "Model", found)
    assert found.keys() == MESSAGES.keys()


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_another_parser_might_read_otherwise_is_refused(name: str) -> None:
    with pytest.raises(BundleFormatError, match="is not an ONNX model"):
        external_files(SMUGGLED[name], "x")


def test_the_smuggled_file_is_one_that_other_parsers_see() -> None:
    assert external_files(SMUGGLED_PLAINLY, "x") == {HIDDEN}
    seen = set()
    for name, model in SMUGGLED.items():
        with contextlib.suppress(DecodeError):  # this parser refuses the same as ours
            if HIDDEN in external_locations(onnx.load_model_from_string(model)):
                seen.add(name)
    assert {"an attribute in two halves", "a tag with a needless byte"} <= seen


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
