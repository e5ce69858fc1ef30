"""The served bundles by name; one whose manifest changed is opened anew beside the old one."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from http import HTTPStatus
from pathlib import Path

from runtime.bundle import Bundle
from runtime.bundle.read import read_manifest
from runtime.serve.errors import RequestError
from runtime.serve.metrics import Metrics
from runtime.serve.model import ServedModel
from runtime.serve.options import ServeOptions
from spikehalt.errors import SpikehaltError
from spikehalt.strict import unknown_name

logger = logging.getLogger(__name__)


class Models:
    """Opens, replaces and closes what is served.

    Args:
        options: of the server.
        metrics: of the worker.
    """

    def __init__(self, options: ServeOptions, metrics: Metrics) -> None:
        self._options, self._metrics = options, metrics
        self._models: dict[str, ServedModel] = {}
        self._complaints: dict[str, str] = {}

    @property
    def all(self) -> list[ServedModel]:
        """What is served now."""
        return list(self._models.values())

    def open(self) -> None:
        """Open every bundle.

        Raises:
            SpikehaltError: one cannot be served.
        """
        for name in self._options.bundles:
            self._models[name] = self._opened(name)

    def close(self) -> None:
        """Answer what was submitted, then free all engines."""
        for model in self._models.values():
            model.close()

    def get(self, name: str | None, version: str | None = None) -> ServedModel:
        """A model by its name, which may be left out where there is only one.

        Raises:
            RequestError: there is no such model, or not in this version.
        """
        if name is None:
            if len(self._models) == 1:
                return self.all[0]
            names = ", ".join(self._models)
            raise RequestError(HTTPStatus.BAD_REQUEST, f"say which model with ?model=: {names}")
        if name not in self._models:
            message = unknown_name("model", name[:80], self._models)
            raise RequestError(HTTPStatus.NOT_FOUND, message)
        model = self._models[name]
        if version not in (None, model.version):
            message = unknown_name(f"version of {name}", str(version)[:80], [model.version])
            raise RequestError(HTTPStatus.NOT_FOUND, message)
        return model

    async def watch(self) -> None:
        """Replace bundles whose manifests change, until cancelled."""
        while True:
            await asyncio.sleep(self._options.poll_s)
            for name in self._options.bundles:
                await self._renew(name)

    async def _renew(self, name: str) -> None:
        """Open a bundle anew if it was replaced; the old one answers until the new one can."""
        old = self._models[name]
        try:
            if _fingerprint(self._options.bundles[name]) == old.fingerprint:
                return
            self._models[name] = await asyncio.to_thread(self._opened, name)
        except SpikehaltError as error:  # perhaps it is being copied: the next look will tell
            self._complain(name, str(error))
            return
        self._complaints.pop(name, None)
        self._metrics.reloads.labels(name, "replaced").inc()
        logger.info("%s: version %s replaces %s", name, self._models[name].version, old.version)
        await asyncio.to_thread(old.close)

    def _complain(self, name: str, message: str) -> None:
        if self._complaints.get(name) != message:
            self._complaints[name] = message
            self._metrics.reloads.labels(name, "failed").inc()
            logger.error("%s cannot be replaced, the old one goes on: %s", name, message)

    def _opened(self, name: str) -> ServedModel:
        options = self._options
        key = options.engine.get("public_key")
        bundle = Bundle.open(options.bundles[name], public_key=key)
        return ServedModel(name, bundle, options, self._metrics)


def _fingerprint(root: Path) -> str:
    return hashlib.sha256(read_manifest(root)).hexdigest()
