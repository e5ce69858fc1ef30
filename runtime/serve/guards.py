"""Who may ask, how much, and how slowly: what stands between the network and the application."""

from __future__ import annotations

import asyncio
import hmac
import socket
from asyncio import TimerHandle
from http import HTTPStatus
from typing import Any

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runtime.serve.errors import RequestError
from runtime.serve.options import Limits

OPEN_PATHS = "/v2/health/"  # probes carry no token


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on connections and headers.

    Args:
        limits: that hold for every client.
        **uvicorn: what uvicorn passes.
    """

    def __init__(self, *, limits: Limits, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._limits = limits
        self._header_bytes = 0
        self._header_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse one connection too many; wait for the headers of the others."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            transport.abort()
            return
        self._tune(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; close where headers have become too long."""
        self._header_bytes += len(data)
        super().data_received(data)
        waiting_for_headers = self._header_timer is not None
        if waiting_for_headers and self._header_bytes > self._limits.header_bytes:
            self.send_400_response("The headers are too long.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._stop_timer()
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if length > self._limits.header_bytes:
            raise ValueError("the headers are too long")  # answered with 400 by uvicorn
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request has ended; the next may follow."""
        self._header_bytes = 0
        super().on_message_complete()

    def _expect_headers(self) -> None:
        self._stop_timer()
        self._header_timer = self.loop.call_later(self._limits.header_s, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _tune(self, transport: asyncio.Transport) -> None:
        """Send at once, and let the system end connections whose peer takes no answers.

        asyncio sets TCP_NODELAY only on sockets that name their protocol, which those of
        `uvicorn.Config.bind_socket` do not; an answer's second packet would wait 40 ms.
        """
        connection = transport.get_extra_info("socket")
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, int(1e3 * self._limits.body_s))


class TokenGuard:
    """Answers 401 to whoever does not know the token.

    Args:
        app: that is guarded.
        token: that has to follow `Authorization: Bearer`.
        refuse: answers those who do not.
    """

    def __init__(self, app: ASGIApp, token: str, refuse: ASGIApp) -> None:
        self._app, self._refuse = app, refuse
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        allowed = scope["type"] != "http" or scope["path"].startswith(OPEN_PATHS)
        given = b"" if allowed else dict(scope["headers"]).get(b"authorization", b"")
        allowed = allowed or hmac.compare_digest(given, self._wanted)
        await (self._app if allowed else self._refuse)(scope, receive, send)


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body of a request.

    Raises:
        RequestError: it is too large, comes too slowly, or is compressed.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without compression")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:19]) > limits.body_bytes:
        raise _too_large(limits)
    try:
        with anyio.fail_after(limits.body_s):
            return await _collect(request, limits)
    except TimeoutError:
        raise RequestError(
            HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {limits.body_s:g} s"
        ) from None
    except ClientDisconnect:
        raise RequestError(HTTPStatus.BAD_REQUEST, "the body ended too early") from None


async def _collect(request: Request, limits: Limits) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limits.body_bytes:
            raise _too_large(limits)
    return bytes(body)


def _too_large(limits: Limits) -> RequestError:
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {limits.body_bytes} bytes"
    )
