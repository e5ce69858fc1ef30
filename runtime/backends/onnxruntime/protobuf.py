"""Protobuf bytes, read so strictly that no other parser can read them otherwise.

Known fields alone, in their own wire types; tags, lengths and numbers in their shortest form; what
a message has once, once. Whatever deviates is refused: parsers differ in what they do with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_DEPTH = 64


class Known(NamedTuple):
    """What a message may hold under one tag.

    Attributes:
        child: the message in it; "" for anything else.
        once: whether it may stand there only once.
    """

    child: str
    once: bool


class Field(NamedTuple):
    """One field of a protobuf message.

    Attributes:
        number: which field it is.
        child: the message that it holds; "" for anything else.
        part: its contents; a number's bytes if it is no message, string or packed list.
        whole: its bytes with tag and length.
    """

    number: int
    child: str
    part: memoryview
    whole: memoryview


def fields(message: memoryview, known: dict[int, Known]) -> Iterator[Field]:
    """The fields of a message, in order.

    Args:
        message: its bytes.
        known: what it may hold, by tag (number << 3 | wire type).

    Raises:
        ValueError, IndexError: the bytes are not exactly such a message.
    """
    at, end, seen = 0, len(message), set[int]()
    while at < end:
        start = at
        tag, at = _varint(message, at)
        if tag not in known:
            raise ValueError(f"it has an unknown field, {tag >> 3} of wire type {tag & 7}")
        child, once = known[tag]
        if once and tag in seen:
            raise ValueError(f"field {tag >> 3} stands twice where it belongs once")
        seen.add(tag)
        inner, at = _extent(message, at, tag & 7)
        if at > end:
            raise ValueError("truncated")
        yield Field(tag >> 3, child, message[inner:at], message[start:at])


def _extent(message: memoryview, at: int, wire: int) -> tuple[int, int]:
    """Where the contents of a field begin and end."""
    if wire == VARINT:
        return at, _varint(message, at)[1]
    if wire == BYTES:
        size, at = _varint(message, at)
        return at, at + size
    return at, at + (8 if wire == FIXED64 else 4)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    byte = message[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = message[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")
    if byte == 0 or value >> 64:
        raise ValueError("a number is not in its shortest form")
    return value, at + 1


def field_bytes(number: int, *parts: bytes | memoryview) -> list[bytes | memoryview]:
    """A length-delimited field: its tag and length, then its contents."""
    return [number_bytes(number << 3 | BYTES) + number_bytes(sum(map(len, parts))), *parts]


def number_bytes(value: int) -> bytes:
    """A number in its shortest form."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
