"""`config.pbtxt`: what Triton is told about a model (protobuf text of its `ModelConfig`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from runtime.bundle import Manifest
from runtime.serve.tensors import input_of, outputs_of

_TYPES = {"BYTES": "TYPE_STRING"}  # the others are called as in the protocol
_PORT = "  {{ name: {name} data_type: {kind} dims: [ {dims} ]{rest} }}"
_SCALAR = " reshape { shape: [ ] }"


def python_config(
    name: str,
    manifest: Manifest,
    *,
    max_batch: int,
    queue: int,
    instances: int,
    gpu: bool,
    parameters: Mapping[str, str],
) -> str:
    """For the Python backend with the engine inside: any bundle, early exit, dynamic batches.

    Args:
        name: of the model.
        manifest: of its bundle.
        max_batch: images in one batch.
        queue: requests that wait; more are refused.
        instances: processes, each with an engine.
        gpu: whether they are on GPUs.
        parameters: arguments of the engine, as text.
    """
    tensor, datatype, shape = input_of(manifest.input)
    outputs = [
        _port(key, port.datatype, port.shape(manifest) or [1])
        for key, port in outputs_of(manifest).items()
    ]
    kind = "KIND_GPU" if gpu else "KIND_CPU"
    return _lines(
        f"name: {json.dumps(name)}",
        'backend: "python"',
        f"max_batch_size: {max_batch}",
        _list("input", [_port(tensor, datatype, shape)]),
        _list("output", outputs),
        f"instance_group [ {{ count: {instances} kind: {kind} }} ]",
        "dynamic_batching { default_queue_policy { "
        f"timeout_action: REJECT allow_timeout_override: true max_queue_size: {queue} }} }}",
        *(
            f"parameters {{ key: {json.dumps(key)} value {{ string_value: {json.dumps(value)} }} }}"
            for key, value in parameters.items()
        ),
    )


def onnxruntime_config(name: str, manifest: Manifest, op_library: str | None) -> str:
    """For Triton's ONNX Runtime backend: the graph alone, all timesteps, no early exit.

    Args:
        name: of the model.
        manifest: of a bundle whose chunk is T.
        op_library: file of the native ops; None: their function bodies run.
    """
    tensor, datatype, shape = input_of(manifest.input)
    blocks, classes = manifest.blocks, len(manifest.classes)
    inputs = [
        _port(tensor, datatype, [-1, *shape]),
        _port("epsilon", "FP32", [1], _SCALAR),
    ]
    outputs = [
        _port("logits", "FP32", [-1, classes]),
        _port("halt_score", "FP32", [-1]),
        _port("live_tokens", "INT32", [-1, manifest.timesteps, blocks]),
    ]
    library = [] if op_library is None else [json.dumps(op_library)]
    return _lines(
        f"name: {json.dumps(name)}",
        'backend: "onnxruntime"',
        "max_batch_size: 0",  # epsilon has no batch
        _list("input", inputs),
        _list("output", outputs),
        *(f"model_operations {{ op_library_filename: {each} }}" for each in library),
    )


def _port(name: str, datatype: str, shape: list[int], rest: str = "") -> str:
    kind, dims = _TYPES.get(datatype, f"TYPE_{datatype}"), ", ".join(map(str, shape))
    return _PORT.format(name=json.dumps(name), kind=kind, dims=dims, rest=rest)


def _list(name: str, items: Iterable[str]) -> str:
    return f"{name} [\n" + ",\n".join(items) + "\n]"


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
