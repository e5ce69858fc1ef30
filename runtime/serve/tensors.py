"""Requests and answers as Open Inference Protocol v2 writes them: JSON, or JSON and raw bytes.

In the binary extension the body begins with JSON, as long as `Inference-Header-Content-Length`
says; behind it stand the tensors whose `parameters.binary_data_size` is given, little-endian and
in order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runtime.bundle import InputSpec, Manifest
from runtime.results.result import Result
from runtime.serve.errors import RequestError
from spikehalt.strict import unknown_name

DTYPES: dict[str, str] = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1",
    "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
HEADER_LENGTH = "Inference-Header-Content-Length"
_MOST_DIMENSIONS = 8


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameters(_Strict):
    """How one request is run; what is left out is as the bundle says."""

    policy: str | None = None
    threshold: float | None = None
    epsilon: float | None = None
    max_timesteps: int | None = None
    latency_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class InferParameters(Parameters):
    """The same, and the form of the answer."""

    binary_data_output: bool = False


class InputParameters(_Strict):
    """What stands beside a tensor that is sent."""

    binary_data_size: Annotated[int, Field(ge=0)] | None = None


class OutputParameters(_Strict):
    """What stands beside a tensor that is asked for."""

    binary_data: bool | None = None


class InputTensor(_Strict):
    """A tensor that is sent: `data`, row by row or nested, or bytes behind the JSON."""

    name: str
    shape: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=_MOST_DIMENSIONS)]
    datatype: str
    parameters: InputParameters = InputParameters()
    data: list[Any] | None = None


class OutputTensor(_Strict):
    """A tensor that is asked for."""

    name: str
    parameters: OutputParameters = OutputParameters()


class InferRequest(_Strict):
    """The body of `POST /v2/models/MODEL/infer`."""

    id: str | None = None
    parameters: InferParameters = InferParameters()
    inputs: list[InputTensor]
    outputs: list[OutputTensor] | None = None


@dataclass(frozen=True)
class Port:
    """A tensor of every model's answers.

    Attributes:
        datatype: as the protocol names it.
        shape: behind the batch, of a bundle.
        values: out of the results of a batch.
    """

    datatype: str
    shape: Callable[[Manifest], list[int]]
    values: Callable[[Result], Any]


def _per_image(_: Manifest) -> list[int]:
    return []


def _per_class(manifest: Manifest) -> list[int]:
    return [len(manifest.classes)]


def _label_probability(result: Result) -> NDArray[np.float32]:
    return np.take_along_axis(result.probabilities, result.labels[:, None], axis=1)[:, 0]


_OUTPUTS = {
    "label": Port("INT64", _per_image, lambda result: result.labels),
    "name": Port("BYTES", _per_image, lambda result: result.names),
    "probability": Port("FP32", _per_image, _label_probability),
    "probabilities": Port("FP32", _per_class, lambda result: result.probabilities),
    "logits": Port("FP32", _per_class, lambda result: result.logits),
    "timesteps": Port("INT64", _per_image, lambda result: result.timesteps),
    "tokens": Port("FP64", _per_image, lambda result: result.average_tokens),
    "energy_mj": Port("FP64", _per_image, lambda result: result.energy_mj),
}


def outputs_of(manifest: Manifest) -> dict[str, Port]:
    """The tensors that a bundle answers with; without energy constants none of energy."""
    without = () if manifest.energy is not None else ("energy_mj",)
    return {name: port for name, port in _OUTPUTS.items() if name not in without}


def input_of(spec: InputSpec) -> tuple[str, str, list[int]]:
    """Name, datatype and shape behind the batch of what a bundle takes."""
    if spec.kind == "image":
        return "image", "UINT8", [spec.height, spec.width, spec.channels]
    return "frames", "FP32", [spec.timesteps or 1, spec.channels, spec.height, spec.width]


def describe(name: str, version: str, manifest: Manifest) -> dict[str, Any]:
    """A model's metadata."""
    tensor, datatype, shape = input_of(manifest.input)
    return {
        "name": name,
        "versions": [version],
        "platform": "spikehalt",
        "inputs": [{"name": tensor, "datatype": datatype, "shape": [-1, *shape]}],
        "outputs": [
            {"name": key, "datatype": port.datatype, "shape": [-1, *port.shape(manifest)]}
            for key, port in outputs_of(manifest).items()
        ],
        "parameters": {
            "classes": list(manifest.classes),
            "timesteps": manifest.timesteps,
            "chunk": manifest.chunk,
        },
    }


def parse_request(body: bytes, json_length: int | None) -> tuple[InferRequest, memoryview]:
    """The JSON of a request, and the bytes behind it.

    Raises:
        RequestError: it is not what the protocol says.
    """
    if json_length is not None and not 0 <= json_length <= len(body):
        raise _bad(f"{HEADER_LENGTH} {json_length} does not fit a body of {len(body)} bytes")
    stop = len(body) if json_length is None else json_length
    try:
        request = InferRequest.model_validate_json(body[:stop], strict=True)
    except ValidationError as error:
        raise _bad(explain(error)) from None
    return request, memoryview(body)[stop:]


def read_input(request: InferRequest, raw: memoryview, spec: InputSpec) -> NDArray[Any]:
    """The one tensor that a bundle takes.

    Raises:
        RequestError: it is another one, or its data do not fit its shape.
    """
    name, datatype, _ = input_of(spec)
    if len(request.inputs) != 1:
        raise _bad(f"the request has {len(request.inputs)} inputs; this model takes one, {name!r}")
    tensor = request.inputs[0]
    if tensor.name != name:
        raise _bad(unknown_name("input", tensor.name, [name]))
    if tensor.datatype != datatype:
        raise _bad(f"input {name!r} has datatype {tensor.datatype[:20]}; it must be {datatype}")
    return _from_bytes(tensor, raw) if tensor.data is None else _from_json(tensor, raw)


def _from_bytes(tensor: InputTensor, raw: memoryview) -> NDArray[Any]:
    size = tensor.parameters.binary_data_size
    dtype = np.dtype(DTYPES[tensor.datatype])
    wanted = _product(tensor.shape) * dtype.itemsize
    if size is None:
        raise _bad(f"input {tensor.name!r} has neither data nor parameters.binary_data_size")
    if not size == len(raw) == wanted:
        raise _bad(
            f"input {tensor.name!r} of shape {tensor.shape} takes {wanted} bytes: binary_data_size "
            f"is {size}, and {len(raw)} bytes follow the JSON"
        )
    return np.frombuffer(raw, dtype).reshape(tensor.shape)


def _from_json(tensor: InputTensor, raw: memoryview) -> NDArray[Any]:
    if tensor.parameters.binary_data_size is not None or len(raw):
        raise _bad(f"input {tensor.name!r} has data and bytes behind the JSON: send one of them")
    try:
        values = np.asarray(tensor.data)
        whole = tensor.datatype == "UINT8"
        if values.dtype.kind not in ("iu" if whole else "iuf") and values.size:
            raise ValueError("they must be numbers" + (" without fractions" if whole else ""))
        if whole and values.size and not 0 <= values.min() <= values.max() <= 255:
            raise ValueError("they must be in 0..255")
        return values.astype(DTYPES[tensor.datatype]).reshape(tensor.shape)
    except (ValueError, TypeError, OverflowError) as error:
        shape = tensor.shape
        raise _bad(f"the data of input {tensor.name!r}, shape {shape}: {error}") from None


def answer(
    request: InferRequest, name: str, version: str, result: Result
) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON where bytes follow.

    Raises:
        RequestError: an output is asked for that there is not.
    """
    wanted = wanted_outputs(request, result.manifest)
    ports = outputs_of(result.manifest)
    tensors, blobs = [], []
    for key, binary in wanted.items():
        port = ports[key]
        shape = [len(result), *port.shape(result.manifest)]
        tensor: dict[str, Any] = {"name": key, "datatype": port.datatype, "shape": shape}
        if binary:
            blobs.append(_to_bytes(port, result))
            tensor["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            tensor["data"] = np.ravel(port.values(result)).tolist()
        tensors.append(tensor)
    head: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": tensors}
    if request.id is not None:
        head["id"] = request.id
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"".join([text, *blobs]), len(text) if blobs else None


def wanted_outputs(request: InferRequest, manifest: Manifest) -> dict[str, bool]:
    """Names of the outputs that are asked for, and whether as bytes.

    Raises:
        RequestError: there is no such output.
    """
    default, known = request.parameters.binary_data_output, outputs_of(manifest)
    if not request.outputs:
        return dict.fromkeys(known, default)
    for each in request.outputs:
        if each.name not in known:
            raise _bad(unknown_name("output", each.name[:80], known))
    forms = {each.name: each.parameters.binary_data for each in request.outputs}
    return {name: default if form is None else form for name, form in forms.items()}


def _to_bytes(port: Port, result: Result) -> bytes:
    if port.datatype != "BYTES":
        return np.ascontiguousarray(port.values(result), DTYPES[port.datatype]).tobytes()
    texts = [str(each).encode() for each in port.values(result)]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def explain(error: ValidationError, top: type[BaseModel] = InferRequest) -> str:
    """The first thing that is wrong with a `top`, in one sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    *parents, last = first["loc"] or ("",)
    if first["type"] == "extra_forbidden":
        known = (top if not parents else _models_at(parents)).model_fields
        return f"{unknown_name('field', str(last)[:80], known)}, in {_path(parents)}"
    return f"{_path(first['loc'])}: {first['msg']}"[:400]


def _path(parents: Sequence[Any]) -> str:
    return ".".join(map(str, parents)) or "the request"


def _models_at(path: Sequence[Any]) -> type[BaseModel]:
    """What may stand at a place of a request."""
    models: dict[tuple[str, ...], type[BaseModel]] = {
        ("parameters",): InferParameters,
        ("inputs",): InputTensor,
        ("inputs", "parameters"): InputParameters,
        ("outputs",): OutputTensor,
        ("outputs", "parameters"): OutputParameters,
    }
    return models[tuple(each for each in path if isinstance(each, str))]


def _product(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _bad(message: str) -> RequestError:
    return RequestError(HTTPStatus.BAD_REQUEST, message)
