"""uvicorn as every server here runs it: guarded, quiet about itself, and ended by a signal."""

from __future__ import annotations

import signal
import socket
from functools import partial
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from runtime.serve.guards import GuardedProtocol
from runtime.serve.options import Limits
from spikehalt.errors import ConfigError


def configure(app: Any, host: str, port: int, limits: Limits, **more: Any) -> uvicorn.Config:
    """uvicorn's configuration.

    Args:
        app: that is served, or with `factory=True` what makes it in every worker.
        host: address or name.
        port: 0 takes a free one.
        limits: that hold for every client.
        **more: of `uvicorn.Config`.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=partial(GuardedProtocol, limits=limits),  # type: ignore[arg-type]
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **more,
    )


def bind(config: uvicorn.Config) -> socket.socket:
    """The socket at which a server will listen.

    Raises:
        ConfigError: the port is taken.
    """
    try:
        return config.bind_socket()
    except SystemExit:  # uvicorn's log says why
        raise ConfigError(
            f"cannot listen at {config.host} port {config.port}: choose another --port"
        ) from None


def run(server: uvicorn.Server, bound: socket.socket) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status."""
    # uvicorn raises the signal that ended it once more, which would end this process by it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server.run([bound])
    return 0 if server.started else STARTUP_FAILURE
