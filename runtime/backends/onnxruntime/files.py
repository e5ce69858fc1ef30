"""Which other files an ONNX model refers to, read from the protobuf bytes without any library.

A model may keep its weights in external files named inside it. They are checked before a backend
sees the model: a bundle may only refer to its own files. Every message of the model is read, and
what another parser might read otherwise is refused (protobuf.py); weights are skipped, not copied.
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.backends.onnxruntime.messages import MESSAGES
from runtime.backends.onnxruntime.protobuf import MAX_DEPTH, Field, fields
from runtime.bundle.read import Bundle
from runtime.errors import BundleFormatError
from spikehalt.reading import reading

# Fields of TensorProto, from onnx.proto.
RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 9, 13, 14
_DEFAULT, EXTERNAL = b"\x00", b"\x01"


def external_files(model: bytes, where: str) -> set[str]:
    """Names of the external data files an ONNX model refers to.

    Args:
        model: the serialised ModelProto.
        where: what to call it in messages.

    Raises:
        BundleFormatError: they are not an ONNX model, or one that parsers may read differently.
    """
    with reading(where, BundleFormatError, "is not an ONNX model"):
        return set(_locations(memoryview(model), "Model", 0))


def own_files(bundle: Bundle, name: str, model: bytes) -> list[str]:
    """The files of the bundle that its graph `name`, whose bytes are `model`, refers to.

    Raises:
        BundleFormatError: it refers to another file, or is no ONNX model.
    """
    files = sorted(external_files(model, f"{bundle.root.name}/{name}"))
    foreign = [each for each in files if each not in bundle.manifest.files]
    if foreign:
        raise BundleFormatError(
            f"{bundle.root / name} refers to {foreign[0][:200]!r}, which is not a file of the "
            "bundle: export the checkpoint again"
        )
    return files


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    parts = list(fields(message, MESSAGES[kind]))
    if kind == "Tensor":
        yield from _location(parts)
    for field in parts:
        if field.child:
            yield from _locations(field.part, field.child, depth + 1)


def _location(tensor: list[Field]) -> Iterator[str]:
    for field in tensor:
        if field.number == DATA_LOCATION and field.part not in (_DEFAULT, EXTERNAL):
            raise ValueError("a tensor's data_location does not exist")
    place = place_of(tensor)
    if "location" in place:
        yield place["location"]


def place_of(tensor: list[Field]) -> dict[str, str]:
    """Where the data of an external tensor lies: location, offset, length.

    Raises:
        ValueError: one of them is said twice.
    """
    pairs = [_entry(field.part) for field in tensor if field.number == EXTERNAL_DATA]
    place = dict(pairs)
    if len(place) != len(pairs):
        raise ValueError("a tensor's external_data says something twice")
    return place


def _entry(pair: memoryview) -> tuple[str, str]:
    """Key and value of a StringStringEntryProto."""
    known = MESSAGES["StringStringEntry"]
    texts = {field.number: bytes(field.part) for field in fields(pair, known)}
    return texts.get(1, b"").decode("utf-8"), texts.get(2, b"").decode("utf-8")
