"""The server's processes, certificates and log: uvicorn, told what it has to know."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import ssl
import tempfile
import threading
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from runtime.serve.listening import bind, configure, run
from runtime.serve.options import Listening, ServeOptions
from spikehalt.errors import ConfigError

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Workers count in files that they map: on a disk that fills up, they would be ended by SIGBUS.
_MEMORY = "/dev/shm"
GRACE_S = 30  # what is queued is answered within it when the server is told to stop
_LOG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "runtime.serve.log.LineFormatter",
            "format": "%(asctime)s %(process)d %(levelname)s %(message)s",
        }
    },
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
    socket = bind(config)
    if listening.workers == 1:
        return run(uvicorn.Server(config), socket)
    in_memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="spikehalt-metrics-", dir=in_memory) as folder:
        os.environ[_FOLDER_VARIABLE] = folder
        Multiprocess(config, [socket]).run()
    return 0


def _config(options: ServeOptions, listening: Listening) -> uvicorn.Config:
    if listening.client_ca is not None and listening.certificate is None:
        raise ConfigError("clients' certificates need one of the server's: give --tls-cert")
    required = ssl.CERT_NONE if listening.client_ca is None else ssl.CERT_REQUIRED
    return configure(
        partial(_create_app, options),
        listening.host,
        listening.port,
        options.limits,
        factory=True,
        workers=listening.workers,
        ws="none",
        log_config=_LOG,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
        ssl_ca_certs=None if listening.client_ca is None else str(listening.client_ca),
        ssl_cert_reqs=required,
    )


def _create_app(options: ServeOptions) -> Any:
    """Imported in the worker, whose metrics look at the environment when they are imported."""
    from runtime.serve.app import create_app

    parent = multiprocessing.parent_process()
    if parent is None:
        return create_app(options)
    _end_with(parent)
    return create_app(options, closed=partial(_clean_behind, parent))


def _end_with(parent: BaseProcess) -> None:
    """A worker whose server was killed answers what it has and ends, so that the port is free."""

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="end with the server", daemon=True).start()


def _clean_behind(parent: BaseProcess) -> None:
    """Remove the folder of the metrics, which a server that was killed left."""
    if not parent.is_alive():
        shutil.rmtree(os.environ[_FOLDER_VARIABLE], ignore_errors=True)
