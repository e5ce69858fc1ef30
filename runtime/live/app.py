"""The application: the page's files, and the socket between page and show.

Only pages that this server gave may use the socket, under a name of this machine: another site that
is open in the browser could else see through the camera.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from runtime.live.knobs import Change, limits
from runtime.live.show import Show
from runtime.live.side import Side
from runtime.live.sources import of_bytes
from runtime.serve.options import Limits
from spikehalt import __version__
from spikehalt.errors import SpikehaltError

PAGE = Path(__file__).parent / "page"
HOSTS = ["127.0.0.1", "localhost"]
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-cache",
}
_STRANGER = 1008  # close code: policy violation


def create_app(side: Side, static: Side, show: Show) -> ASGIApp:
    """The application.

    Args:
        side: answers as the page says.
        static: is compared with.
        show: runs while the application does.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        show.start()
        yield
        await asyncio.to_thread(show.stop)

    about = {
        "kind": "about",
        "version": __version__,
        "sides": [side.about(), {**static.about(), "same": static is side}],
        "limits": limits(side.engine.manifest),
    }

    async def watch(socket: WebSocket) -> None:
        await _watch(socket, show, about)

    files = StaticFiles(directory=PAGE, html=True)
    return Starlette(
        routes=[WebSocketRoute("/live", watch), Mount("/", _WithHeaders(files))],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        lifespan=lifespan,
    )


class _WithHeaders:
    """Lets the page load nothing from elsewhere.

    Args:
        app: that gives the files.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers)


class _Outbox:
    """What waits for one page: everything said in words, and the newest picture alone."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._words: list[dict[str, Any]] = []
        self._picture: bytes | None = None

    def tell(self, message: dict[str, Any] | bytes) -> None:
        """Take a message; may be called from any thread."""
        with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
            self._loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: dict[str, Any] | bytes) -> None:
        if isinstance(message, bytes):
            self._picture = message
        else:
            self._words.append(message)
        self._ready.set()

    async def send(self, socket: WebSocket) -> None:
        """Send whatever comes, until cancelled."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            words, self._words = self._words, []
            picture, self._picture = self._picture, None
            for each in words:
                await socket.send_text(json.dumps(each, allow_nan=False))
            if picture is not None:
                await socket.send_bytes(picture)


async def _watch(socket: WebSocket, show: Show, about: dict[str, Any]) -> None:
    host, origin = socket.headers.get("host"), socket.headers.get("origin")
    if origin != f"http://{host}":
        await socket.close(_STRANGER)
        return
    await socket.accept()
    outbox = _Outbox()
    outbox.tell(about)
    show.watch(outbox.tell)
    sending = asyncio.create_task(outbox.send(socket))
    try:
        while True:
            problem = _obey(show, await socket.receive())
            if problem:
                outbox.tell({"kind": "refused", "error": problem})
    except WebSocketDisconnect:
        pass
    finally:
        show.leave(outbox.tell)
        sending.cancel()


def _obey(show: Show, message: Message) -> str:
    """Do what a page asks for; returns why not, or nothing."""
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    try:
        if message.get("text") is not None:
            show.change(Change.model_validate_json(message["text"]))
        else:
            show.drop(_dropped(message["bytes"]))
    except ValidationError as error:
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])
    except SpikehaltError as problem:
        return str(problem)
    return ""


def _dropped(content: bytes) -> Any:
    """A file: its name in UTF-8, a zero byte, and its bytes."""
    name, _, data = content.partition(b"\0")
    return of_bytes(name.decode("utf-8", "replace")[:200], data, Limits().pixels)
