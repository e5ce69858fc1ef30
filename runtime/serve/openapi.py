"""The OpenAPI page: what may be asked, from the models that requests are checked against."""

from __future__ import annotations

from typing import Any

from runtime.serve.tensors import HEADER_LENGTH, InferRequest, Parameters
from spikehalt import __version__

_SCHEMAS = "#/components/schemas/{model}"


def document(models: list[str]) -> dict[str, Any]:
    """The page, as JSON.

    Args:
        models: names of those that are served.
    """
    schema = InferRequest.model_json_schema(ref_template=_SCHEMAS)
    components = {**schema.pop("$defs"), "InferRequest": schema}
    named = {"type": "string", "enum": models}
    of_model = [_path("model", named)]
    of_version = [*of_model, _path("version", {"type": "string"})]
    paths: dict[str, Any] = {
        "/v2/health/live": {"get": _operation("The server lives.", [])},
        "/v2/health/ready": {"get": _operation("All models can be asked.", [])},
        "/v2": {"get": _operation("What this server is.", [])},
        "/metrics": {"get": _operation("Figures for Prometheus.", [])},
        "/classify": {"post": _classify(named)},
    }
    for base, given in (
        ("/v2/models/{model}", of_model),
        ("/v2/models/{model}/versions/{version}", of_version),
    ):
        paths[base] = {"get": _operation("What a model takes and gives.", given)}
        paths[f"{base}/ready"] = {"get": _operation("Whether a model can be asked.", given)}
        paths[f"{base}/infer"] = {"post": _infer(given)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "spikehalt", "version": __version__},
        "paths": paths,
        "components": {"schemas": components},
    }


def _classify(named: dict[str, Any]) -> dict[str, Any]:
    fields = Parameters.model_json_schema()["properties"]
    query = [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in {"model": named, **fields}.items()
    ]
    content: dict[str, Any] = {f"image/{kind}": {"schema": {}} for kind in ("jpeg", "png", "webp")}
    body = {"required": True, "content": content}
    return {**_operation("The class of an image file.", query), "requestBody": body}


def _infer(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    length = {"name": HEADER_LENGTH, "in": "header", "schema": {"type": "integer", "minimum": 0}}
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": _SCHEMAS.format(model="InferRequest")}},
        "application/octet-stream": {"schema": {}},
    }
    body = {"required": True, "content": content}
    return {**_operation("Tensors in, tensors out.", [*parameters, length]), "requestBody": body}


def _operation(summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    codes = {
        "200": "the answer", "400": "the request is wrong", "401": "the token is missing",
        "404": "no such model", "408": "too slow", "413": "too large", "415": "another format",
        "503": "no place, or no time",
    }  # fmt: skip
    responses = {code: {"description": text} for code, text in codes.items()}
    return {"summary": summary, "parameters": parameters, "responses": responses}


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}
