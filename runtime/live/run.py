"""The live page's server: uvicorn on this machine alone, with the limits of serving."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

from runtime.serve.listening import bind, configure, run
from runtime.serve.options import Limits
from spikehalt import console

HOST = "127.0.0.1"
_GRACE_S = 2


class _Server(uvicorn.Server):
    """Says where it is once it listens.

    Args:
        config: of uvicorn.
        words: what to say.
    """

    def __init__(self, config: uvicorn.Config, words: str) -> None:
        super().__init__(config)
        self._words = words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            console.say(self._words)


def serve(app: ASGIApp, port: int, name: str) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status.

    Args:
        app: to be served.
        port: 0 takes a free one.
        name: of the bundle.

    Raises:
        ConfigError: the port is taken.
    """
    limits = Limits()
    config = configure(
        app,
        HOST,
        port,
        limits,
        ws_max_size=limits.body_bytes,
        ws_per_message_deflate=False,  # nothing is saved between processes of one machine
        log_level="error",
        timeout_graceful_shutdown=_GRACE_S,
    )
    bound = bind(config)
    address = f"http://{HOST}:{bound.getsockname()[1]}/"
    server = _Server(config, f"{name} is live at {address} (this machine alone; Ctrl-C ends it)")
    return run(server, bound)
