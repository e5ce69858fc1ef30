"""Put the external weights of an ONNX model into it, on the protobuf bytes without any library.

For backends that would otherwise open a model's external files themselves, after they were checked.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.backends.onnxruntime.files import FOLLOWED, Field, entry, fields
from runtime.errors import BundleFormatError

# Fields of TensorProto, from onnx.proto.
_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 9, 13, 14
_IS_EXTERNAL = bytes([_DATA_LOCATION << 3, 1])

Pieces = list[bytes | memoryview]


def with_weights(model: bytes, contents: Mapping[str, bytes], where: str) -> bytes:
    """The model with every tensor's data inside.

    Views are collected and joined once, so that weights are copied once.

    Args:
        model: a serialised ModelProto that `files.external_files` has read.
        contents: of the files it refers to, by location.
        where: what to call the model in messages.

    Raises:
        BundleFormatError: a tensor lies outside its file.
    """
    try:
        return b"".join(_message(memoryview(model), "model", contents))
    except (KeyError, ValueError) as error:
        raise BundleFormatError(
            f"{where} refers to weights that are not there ({error}): export the checkpoint again"
        ) from error


def _message(message: memoryview, kind: str, contents: Mapping[str, bytes]) -> Pieces:
    if kind == "tensor":
        return _tensor(message, contents)
    followed, pieces = FOLLOWED[kind], Pieces()
    for field in fields(message):
        child = followed.get(field.number)
        if child is None or field.part is None:
            pieces.append(field.whole)
        else:
            inner = _message(field.part, child, contents)
            pieces += [_header(field.number, sum(map(len, inner))), *inner]
    return pieces


def _tensor(message: memoryview, contents: Mapping[str, bytes]) -> Pieces:
    parts = list(fields(message))
    if not any(field.whole == _IS_EXTERNAL for field in parts):
        return [message]
    data = _data(parts, contents)
    moved = (_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION)
    kept = [field.whole for field in parts if field.number not in moved]
    return [*kept, _header(_RAW_DATA, len(data)), data]


def _data(parts: list[Field], contents: Mapping[str, bytes]) -> memoryview:
    """The bytes of an external tensor."""
    pairs = [each.part for each in parts if each.number == _EXTERNAL_DATA and each.part is not None]
    place = dict(entry(pair) for pair in pairs)
    content = memoryview(contents[place["location"]])
    start = int(place.get("offset", 0))
    length = int(place.get("length", len(content) - start))
    if start < 0 or length < 0 or start + length > len(content):
        raise ValueError(f"bytes {start} to {start + length} of {len(content)}")
    return content[start : start + length]


def _header(number: int, size: int) -> bytes:
    """Key and length of a length-delimited field."""
    return _varint(number << 3 | 2) + _varint(size)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
