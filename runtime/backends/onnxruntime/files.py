"""Which other files an ONNX model refers to, read from the protobuf bytes without any library.

A model may keep its weights in external files named inside it. They are checked before a backend
sees the model: a bundle may only refer to its own files. Only the length-delimited fields that
can lead to a tensor are followed; weights themselves are skipped, never copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runtime.errors import BundleFormatError

# message -> {field number: message}, from onnx.proto; STRING_PAIR is StringStringEntryProto.
FOLLOWED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "pair"},
}
_MAX_DEPTH = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def external_files(model: bytes, where: str) -> set[str]:
    """Names of the external data files an ONNX model refers to.

    Args:
        model: the serialised ModelProto.
        where: what to call it in messages.

    Raises:
        BundleFormatError: the bytes are not a protobuf message.
    """
    try:
        return set(_locations(memoryview(model), "model", 0))
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise BundleFormatError(f"{where} is not an ONNX model: {error}") from error


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested more than {_MAX_DEPTH} levels deep")
    followed = FOLLOWED[kind]
    for number, part, _ in fields(message):
        child = followed.get(number)
        if part is None or child is None:
            continue
        if child != "pair":
            yield from _locations(part, child, depth + 1)
            continue
        key, value = entry(part)
        if key == "location":
            yield value


def entry(pair: memoryview) -> tuple[str, str]:
    """Key and value of a StringStringEntryProto."""
    texts = {number: bytes(part) for number, part, _ in fields(pair) if part is not None}
    return texts.get(1, b"").decode("utf-8"), texts.get(2, b"").decode("utf-8")


class Field(NamedTuple):
    """One field of a protobuf message.

    Attributes:
        number: which field it is.
        part: its contents if it is length-delimited, else None.
        whole: its bytes with key and length.
    """

    number: int
    part: memoryview | None
    whole: memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order.

    Raises:
        ValueError, IndexError: the bytes are not a protobuf message.
    """
    at, end = 0, len(message)
    while at < end:
        start = at
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _BYTES:
            size, at = _varint(message, at)
            if size > end - at:
                raise ValueError("truncated")
            at += size
            yield Field(number, message[at - size : at], message[start:at])
        else:
            at = _skip(message, at, wire)
            if at > end:
                raise ValueError("truncated")
            yield Field(number, None, message[start:at])


def _skip(message: memoryview, at: int, wire: int) -> int:
    if wire == _VARINT:
        return _varint(message, at)[1]
    if wire == _FIXED64:
        return at + 8
    if wire == _FIXED32:
        return at + 4
    raise ValueError(f"wire type {wire} does not exist")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")
