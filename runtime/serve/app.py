"""The application: Open Inference Protocol v2, `/classify`, `/metrics`, and how errors look."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from numpy.typing import NDArray
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from runtime.early_exit.settings import Overrides
from runtime.errors import EngineStateError, InputError
from runtime.inputs.files import decode_image
from runtime.results.result import Result
from runtime.serve import metrics as prometheus
from runtime.serve import openapi, tensors
from runtime.serve.errors import RequestError
from runtime.serve.guards import TokenGuard, read_body
from runtime.serve.metrics import Metrics
from runtime.serve.model import ServedModel
from runtime.serve.models import Models
from runtime.serve.options import ServeOptions
from runtime.serve.tensors import HEADER_LENGTH, Parameters
from spikehalt import __version__
from spikehalt.console import json_line
from spikehalt.errors import ConfigError, SpikehaltError

logger = logging.getLogger(__name__)

SIGNATURES = {"JPEG": (b"\xff\xd8\xff", 0), "PNG": (b"\x89PNG\r\n", 0), "WebP": (b"WEBP", 8)}
_GRACE_S = 0.005  # an answer that is there so much too late is still given
_CLOSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(options: ServeOptions, closed: Callable[[], None] | None = None) -> ASGIApp:
    """The application of one worker; bundles are opened when it starts.

    Args:
        options: of the server.
        closed: is called behind the last request.
    """
    server = _Server(options, closed)
    guards = []
    if options.token is not None:
        guards.append(Middleware(TokenGuard, token=options.token, refuse=_unauthorized))
    return Starlette(
        routes=server.routes(),
        middleware=guards,
        lifespan=server.lifespan,
        exception_handlers={
            SpikehaltError: _on_our_error,
            HTTPException: _on_http_error,
            Exception: _on_defect,
        },
    )


class Json(Response):
    """Plain data as JSON, of which no letter acts on the terminal of who asked."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body."""
        return json_line(content).encode()


class _Server:
    def __init__(self, options: ServeOptions, closed: Callable[[], None] | None) -> None:
        self._options, self._metrics, self._closed = options, Metrics(), closed
        self._models = Models(options, self._metrics)
        self._decoders = ThreadPoolExecutor(os.cpu_count(), "image decoder")

    def routes(self) -> list[Route]:
        """What is asked most stands first, since routes are tried in order."""
        model = "/v2/models/{model}"
        bases = (model, f"{model}/versions/{{version}}")
        infer, classify = self._counted(self.infer), self._counted(self.classify)
        return [
            *(Route(f"{base}/infer", infer, methods=["POST"]) for base in bases),
            Route("/classify", classify, methods=["POST"]),
            *(Route(base, self.about) for base in bases),
            *(Route(f"{base}/ready", self.ready) for base in bases),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.live),
            Route("/v2", self.server),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self.openapi),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Open the bundles before the first request, close them behind the last."""
        await asyncio.to_thread(self._models.open)
        watching = asyncio.create_task(self._models.watch())
        yield
        watching.cancel()
        await asyncio.to_thread(self._models.close)
        self._decoders.shutdown()
        if self._closed is not None:
            self._closed()

    async def live(self, _: Request) -> Response:
        """The process answers; it takes connections only once all bundles are open."""
        return Response()

    async def server(self, _: Request) -> Response:
        """What this is."""
        extensions = ["binary_tensor_data"]
        about = {"name": "spikehalt", "version": __version__, "extensions": extensions}
        return Json(about)

    async def about(self, request: Request) -> Response:
        """What a model takes and gives."""
        model = self._model(request)
        return Json(tensors.describe(model.name, model.version, model.manifest))

    async def ready(self, request: Request) -> Response:
        """Whether a model can be asked."""
        self._model(request)
        return Response()

    async def metrics(self, _: Request) -> Response:
        """For Prometheus."""
        stats = [(each.name, lambda each=each: each.engine.stats) for each in self._models.all]
        page = self._metrics.page(stats)
        return Response(page, headers={"Content-Type": prometheus.CONTENT_TYPE})

    async def openapi(self, _: Request) -> Response:
        """What may be asked, for programs."""
        return Json(openapi.document(list(self._options.bundles)))

    async def infer(self, request: Request) -> Response:
        """Tensors in, tensors out."""
        begin_s = time.perf_counter()
        body = await read_body(request, self._options.limits)
        asked, raw = tensors.parse_request(body, _json_length(request))
        model = self._model(request)
        tensors.wanted_outputs(asked, model.manifest)  # before anything is computed for it
        data = tensors.read_input(asked, raw, model.spec)
        result = await _answered(model, data, asked.parameters, begin_s)
        content, length = tensors.answer(asked, model.name, model.version, result)
        if length is None:
            return Response(content, media_type="application/json")
        headers = {HEADER_LENGTH: str(length)}
        return Response(content, headers=headers, media_type="application/octet-stream")

    async def classify(self, request: Request) -> Response:
        """The bytes of an image file in, its class out."""
        begin_s = time.perf_counter()
        body = await read_body(request, self._options.limits)
        query = dict(request.query_params)
        name = query.pop("model", None)
        asked = _query_parameters(query)
        model = self._models.get(name)
        data = await self._decoded(body, model)
        result = await _answered(model, data, asked, begin_s)
        image = result[0]
        return Json(
            {
                "model": model.name,
                "version": model.version,
                "label": image.label,
                "name": image.name,
                "probability": image.probability,
                "timesteps": image.timesteps,
                "tokens": image.average_tokens,
                "energy_mj": image.energy_mj,
            }
        )

    async def _decoded(self, body: bytes, model: ServedModel) -> NDArray[Any]:
        if not any(body[at:].startswith(magic) for magic, at in SIGNATURES.values()):
            raise RequestError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"the body is no image file: send the bytes of a {', '.join(SIGNATURES)}",
            )
        if model.spec.kind != "image":
            raise InputError(f"{model.name} takes event frames: use /v2/models/{model.name}/infer")
        loop, most = asyncio.get_running_loop(), self._options.limits.pixels
        arguments = (body, "the image", model.spec, most)
        return await loop.run_in_executor(self._decoders, decode_image, *arguments)

    def _model(self, request: Request) -> ServedModel:
        path = request.path_params
        return self._models.get(path["model"], path.get("version"))

    def _counted(self, endpoint: Endpoint) -> Endpoint:
        """Count requests and their times, errors included."""

        async def counted(request: Request) -> Response:
            begin_s = time.perf_counter()
            try:
                response = await endpoint(request)
            except Exception as error:
                response = _error_response(error)
            name = self._known(request)
            self._metrics.requests.labels(name, str(response.status_code)).inc()
            self._metrics.seconds.labels(name).observe(time.perf_counter() - begin_s)
            return response

        return counted

    def _known(self, request: Request) -> str:
        """The model of a request, for its labels, of which there must not be too many."""
        name = request.path_params.get("model") or request.query_params.get("model")
        known = list(self._options.bundles)
        if name is None and len(known) == 1:
            return known[0]
        return name if name in known else "unknown"


async def _answered(
    model: ServedModel, data: NDArray[Any], asked: Parameters, begin_s: float
) -> Result:
    """The results of a request, in time if it says until when."""
    limit_s = None if asked.latency_ms is None else begin_s + asked.latency_ms / 1e3
    overrides = Overrides(
        policy=asked.policy,
        threshold=asked.threshold,
        epsilon=asked.epsilon,
        max_timesteps=asked.max_timesteps,
    )
    future = asyncio.wrap_future(model.submit(data, overrides, limit_s))
    if limit_s is None:
        return await future
    try:
        return await asyncio.wait_for(future, limit_s + _GRACE_S - time.perf_counter())
    except asyncio.TimeoutError:
        raise RequestError(
            HTTPStatus.SERVICE_UNAVAILABLE, "the answer did not come in time", 1.0
        ) from None


def _json_length(request: Request) -> int | None:
    text = request.headers.get(HEADER_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise RequestError(HTTPStatus.BAD_REQUEST, f"{HEADER_LENGTH} must be a number of bytes")
    return int(text)


def _query_parameters(query: dict[str, str]) -> Parameters:
    try:
        return Parameters.model_validate_strings(query)
    except ValidationError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, tensors.explain(error, Parameters)) from None


def _error_response(error: Exception) -> Response:
    """What a client learns of an error: one sentence, and nothing of the inside."""
    if isinstance(error, RequestError):
        return _error(error.status, str(error), error.retry_after_s)
    if isinstance(error, InputError | ConfigError):
        return _error(HTTPStatus.BAD_REQUEST, str(error))
    if isinstance(error, EngineStateError):
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, "the model is being replaced", 1.0)
    logger.error("a request failed", exc_info=error)
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says why")


def _error(status: HTTPStatus, message: str, retry_after_s: float | None = None) -> Response:
    headers = {"Connection": "close"} if status in _CLOSING else {}
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(math.ceil(retry_after_s), 1))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Json({"error": message}, status, headers)


async def _on_our_error(_: Request, error: Exception) -> Response:
    return _error_response(error)


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Json({"error": error.detail}, error.status_code, error.headers)


async def _on_defect(_: Request, error: Exception) -> Response:
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says why")


_unauthorized = _error(HTTPStatus.UNAUTHORIZED, "send the token as Authorization: Bearer TOKEN")
