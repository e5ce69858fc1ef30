"""The server's processes, ports, certificates and limits: uvicorn, told what it has to know."""

from __future__ import annotations

import os
import signal
import ssl
import tempfile
from functools import partial
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from runtime.serve.guards import GuardedProtocol
from runtime.serve.options import Listening, ServeOptions
from spikehalt.errors import ConfigError

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
GRACE_S = 30  # what is queued is answered within it when the server is told to stop
_LOG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(process)d %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"uvicorn.access": {"propagate": False}},
}


def serve(options: ServeOptions, listening: Listening) -> int:
    """Serve until SIGTERM or Ctrl-C, then answer what is queued; returns the exit status.

    SIGHUP replaces workers one by one, where there are several.

    Raises:
        ConfigError: certificates that cannot be read, or a port that is taken.
    """
    config = _config(options, listening)
    try:
        socket = config.bind_socket()
    except SystemExit:  # uvicorn's log says why
        raise ConfigError(
            f"cannot listen at {listening.host} port {listening.port}: choose another --port"
        ) from None
    if listening.workers == 1:
        server = uvicorn.Server(config)
        # uvicorn raises the signal that ended it once more, which would end this process by it.
        signal.signal(signal.SIGTERM, lambda *_: None)
        server.run([socket])
        return 0 if server.started else STARTUP_FAILURE
    with tempfile.TemporaryDirectory(prefix="spikehalt-metrics-") as folder:
        os.environ[_FOLDER_VARIABLE] = folder
        Multiprocess(config, [socket]).run()
    return 0


def _config(options: ServeOptions, listening: Listening) -> uvicorn.Config:
    if listening.client_ca is not None and listening.certificate is None:
        raise ConfigError("clients' certificates need one of the server's: give --tls-cert")
    required = ssl.CERT_NONE if listening.client_ca is None else ssl.CERT_REQUIRED
    return uvicorn.Config(
        partial(_create_app, options),
        factory=True,
        host=listening.host,
        port=listening.port,
        workers=listening.workers,
        http=partial(GuardedProtocol, limits=options.limits),  # type: ignore[arg-type]
        ws="none",
        loop="auto",
        lifespan="on",
        log_config=_LOG,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
        ssl_ca_certs=None if listening.client_ca is None else str(listening.client_ca),
        ssl_cert_reqs=required,
    )


def _create_app(options: ServeOptions) -> Any:
    """Imported in the worker, whose metrics look at the environment when they are imported."""
    from runtime.serve.app import create_app

    return create_app(options)
