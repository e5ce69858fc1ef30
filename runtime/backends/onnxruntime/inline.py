"""Bytes of an ONNX model in which no file's name can matter any more.

A backend would open a model's external files itself, after they were checked, and wherever it
finds a name. So it gets a model whose weights are all inside, or one in which the initializers of
the main graph refer to names that are made up here and stand for bytes in memory. Works on the
protobuf bytes, without any library.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from runtime.backends.onnxruntime.files import (
    DATA_LOCATION,
    EXTERNAL,
    EXTERNAL_DATA,
    RAW_DATA,
    place_of,
)
from runtime.backends.onnxruntime.messages import MESSAGES
from runtime.backends.onnxruntime.protobuf import Field, field_bytes, fields, number_bytes
from runtime.errors import BundleFormatError

# Messages that can lead to a tensor; the others are taken as they are.
_FOLLOWED = {
    "Graph", "TrainingInfo", "Function", "Node", "Attribute", "SparseTensor", "Tensor",
}  # fmt: skip
_MAIN_INITIALIZER = ("Model", "Graph")

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
    return _rewritten(model, contents, {}, where)


def with_names_in_memory(
    model: bytes, contents: Mapping[str, bytes], where: str
) -> tuple[bytes, dict[str, bytes]]:
    """The model with the main graph's initializers outside and everything else inside.

    Args:
        model: a serialised ModelProto that `files.external_files` has read.
        contents: of the files it refers to, by location.
        where: what to call the model in messages.

    Returns:
        The model, and what its names stand for. They are made up, so that no file has them.

    Raises:
        BundleFormatError: a tensor lies outside its file.
    """
    secret = secrets.token_hex(16)
    names = {name: f"{secret}-{number}" for number, name in enumerate(contents)}
    data = {names[name]: content for name, content in contents.items()}
    return _rewritten(model, contents, names, where), data


def _rewritten(
    model: bytes, contents: Mapping[str, bytes], names: Mapping[str, str], where: str
) -> bytes:
    try:
        return b"".join(_message(memoryview(model), ("Model",), contents, names))
    except (KeyError, ValueError) as error:
        raise BundleFormatError(
            f"{where} refers to weights that are not there ({error}): export the checkpoint again"
        ) from error


def _message(
    message: memoryview,
    path: tuple[str, ...],
    contents: Mapping[str, bytes],
    names: Mapping[str, str],
) -> Pieces:
    *above, kind = path
    parts = fields(message, MESSAGES[kind])
    if kind == "Tensor":
        inside = tuple(above) != _MAIN_INITIALIZER
        return _tensor(list(parts), message, contents, {} if inside else names)
    pieces = Pieces()
    for field in parts:
        if field.child not in _FOLLOWED:
            pieces.append(field.whole)
        else:
            inner = _message(field.part, (*path, field.child), contents, names)
            pieces += field_bytes(field.number, *inner)
    return pieces


def _tensor(
    parts: list[Field],
    message: memoryview,
    contents: Mapping[str, bytes],
    names: Mapping[str, str],
) -> Pieces:
    numbers = {field.number for field in parts}
    if not numbers & {EXTERNAL_DATA, DATA_LOCATION}:
        return [message]
    external = any(each.number == DATA_LOCATION and each.part == EXTERNAL for each in parts)
    moved = (EXTERNAL_DATA, DATA_LOCATION, *((RAW_DATA,) if external else ()))
    kept: Pieces = [field.whole for field in parts if field.number not in moved]
    if not external:
        return kept
    location, start, data = _data(place_of(parts), contents)
    if location not in names:
        return kept + field_bytes(RAW_DATA, data)
    return kept + _reference(names[location], start, len(data))


def _data(place: dict[str, str], contents: Mapping[str, bytes]) -> tuple[str, int, memoryview]:
    """Location, first byte and bytes of an external tensor."""
    location, content = place["location"], memoryview(contents[place["location"]])
    start = int(place.get("offset", 0))
    length = int(place.get("length", len(content) - start))
    if start < 0 or length < 0 or start + length > len(content):
        raise ValueError(f"bytes {start} to {start + length} of {len(content)}")
    return location, start, content[start : start + length]


def _reference(name: str, start: int, length: int) -> Pieces:
    """The fields of a tensor whose data lies elsewhere."""
    pieces: Pieces = [number_bytes(DATA_LOCATION << 3) + EXTERNAL]
    for key, value in (("location", name), ("offset", str(start)), ("length", str(length))):
        entry = [*field_bytes(1, key.encode()), *field_bytes(2, value.encode())]
        pieces += field_bytes(EXTERNAL_DATA, *entry)
    return pieces
