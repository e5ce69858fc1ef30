"""Weights that both graphs of a bundle read from one file, `weights.bin`.

`first.onnx` and `next.onnx` have most weights in common. As ONNX external data they are stored
once, and read and checked once. Each graph names the file's sha256 in its metadata, so that a
graph's own digest stands for everything it computes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import onnx
from onnx import TensorProto

from export.errors import ExportError
from runtime.backends.onnxruntime.files import own_files
from runtime.backends.onnxruntime.inline import with_weights
from runtime.bundle import WEIGHTS_FILE
from runtime.bundle.read import Bundle
from spikehalt.reading import reading

SHARED_FROM_BYTES = 1024
ALIGNMENT = 4096  # of each weight in the file: a page, so that it can be mapped
DIGEST_KEY = "weights_sha256"


def share_weights(models: dict[str, onnx.ModelProto]) -> bytes:
    """Move the large initializers of several graphs into one file.

    Initializers of one name are one value: graphs name constants by their contents.

    Args:
        models: by file name; changed in place. A single graph is left as it is.

    Returns:
        Contents of `weights.bin`, empty if nothing moved.
    """
    if len(models) < 2:
        return b""
    content, offsets = bytearray(), dict[str, int]()
    for tensor in _initializers(models.values()):
        if len(tensor.raw_data) < SHARED_FROM_BYTES:
            continue
        if tensor.name not in offsets:
            content.extend(bytes(-len(content) % ALIGNMENT))
            offsets[tensor.name] = len(content)
            content.extend(tensor.raw_data)
        _move(tensor, offsets[tensor.name])
    if content:
        digest = hashlib.sha256(content).hexdigest()
        for model in models.values():
            onnx.helper.set_model_props(model, {DIGEST_KEY: digest})
    return bytes(content)


def load_graph(bundle: Bundle, name: str) -> onnx.ModelProto:
    """A graph of a bundle with its weights inside, checked against the sha256 of both files.

    Raises:
        BundleError: a file is missing, damaged or not what the manifest says.
        ExportError: it is no ONNX model.
    """
    model = bundle.read(name)
    contents = {each: bundle.read(each) for each in own_files(bundle, name, model)}
    with reading(bundle.root / name, ExportError, "is not an ONNX model"):
        whole = with_weights(model, contents, f"{bundle.root.name}/{name}")
        return onnx.load_model_from_string(whole)


def _initializers(models: Iterable[onnx.ModelProto]) -> list[TensorProto]:
    return [tensor for model in models for tensor in model.graph.initializer]


def _move(tensor: TensorProto, offset: int) -> None:
    place = {"location": WEIGHTS_FILE, "offset": offset, "length": len(tensor.raw_data)}
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in place.items():
        tensor.external_data.add(key=key, value=str(value))
