"""Kernels that TensorRT-RTX compiled for this GPU, kept from one process to the next.

An engine built ahead of time holds no machine code for the GPU; the library compiles it when the
engine first runs, which takes seconds. Its runtime cache keeps the result. The library itself
checks that a cache fits its version, the GPU and the driver, and ignores one that does not.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from spikehalt import files as atomic
from spikehalt.places import NoPlaceError, cache_folder

logger = logging.getLogger(__name__)


class KernelCache:
    """The compiled kernels of one engine.

    Args:
        plan: the engine.
        folder: where caches lie; None: in the user's cache folder.
    """

    def __init__(self, plan: bytes, folder: Path | None = None) -> None:
        name = f"{hashlib.sha256(plan).hexdigest()[:32]}.kernels"
        place = _folder(folder)
        self.path = None if place is None else place / name
        self._cache: Any = None
        self._before = 0

    def configure(self, engine: Any) -> Any:
        """A runtime configuration of the engine that uses the cache; one for all its contexts."""
        config = engine.create_runtime_config()
        if self._cache is None:
            self._cache = config.create_runtime_cache()
            data = self._kept()
            if data and self._cache.deserialize(data):
                self._before = len(data)
        config.set_runtime_cache(self._cache)
        return config

    def _kept(self) -> bytes:
        """What an earlier process wrote; nothing where it cannot be read."""
        try:
            return b"" if self.path is None else self.path.read_bytes()
        except OSError:
            return b""

    def save(self) -> None:
        """Write the cache if it has grown; a folder that cannot be written to is no error."""
        if self._cache is None or self.path is None:
            return
        serialised = self._cache.serialize()
        data = b"" if serialised is None else bytes(memoryview(serialised))
        if len(data) <= self._before:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic.replace_file(self.path, data)
        except OSError as error:
            logger.info("compiled kernels are not kept: %s", error)


def _folder(given: Path | None) -> Path | None:
    """Where caches lie; None where the user has no home."""
    try:
        return given or cache_folder("kernels")
    except NoPlaceError as error:
        logger.info("compiled kernels are not kept: %s", error)
        return None
