"""The live page's server: uvicorn on this machine alone, with the limits of serving."""

from __future__ import annotations

import signal
import socket
from functools import partial

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from runtime.serve.guards import GuardedProtocol
from runtime.serve.options import Limits
from spikehalt import console
from spikehalt.errors import ConfigError

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
    config = uvicorn.Config(
        app,
        host=HOST,
        port=port,
        http=partial(GuardedProtocol, limits=limits),  # type: ignore[arg-type]
        ws_max_size=limits.body_bytes,
        ws_per_message_deflate=False,  # nothing is saved between processes of one machine
        lifespan="on",
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    try:
        bound = config.bind_socket()
    except SystemExit:  # uvicorn's log says why
        raise ConfigError(f"cannot listen at {HOST} port {port}: choose another --port") from None
    address = f"http://{HOST}:{bound.getsockname()[1]}/"
    server = _Server(config, f"{name} is live at {address} (this machine alone; Ctrl-C ends it)")
    # uvicorn raises the signal that ended it once more, which would end this process by it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server.run([bound])
    return 0 if server.started else STARTUP_FAILURE
