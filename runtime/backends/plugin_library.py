"""Find and load the project's TensorRT plugins for engines that were built with them.

The engine's sidecar names the library by its sha256: a plugin reads back from the engine what the
plugin of the same library wrote there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType

from runtime.bundle.engine_manifest import EngineSidecar, numbers
from runtime.errors import BackendMissingError
from spikehalt.places import plugin_folder, why_no_file
from spikehalt.reading import reason

BUILD_THEM = "build it with `python -m plugins build`"
BUILD_AGAIN = "build the engines again with `python -m export.to_trt BUNDLE --target tensorrt`"


def library_path(version: str) -> Path:
    """Where `python -m plugins build` puts the plugin library for a TensorRT version."""
    return plugin_folder() / f"libspikehalt_plugins_trt{numbers(version)[0]}.so"


def library_mismatch(sidecar: EngineSidecar, path: Path) -> str | None:
    """Why the library at `path` cannot run an engine's plugins, None if it can."""
    if not sidecar.plugins:
        return None
    absent = why_no_file(path)
    if absent:
        return f"needs a plugin library, and {absent}: {BUILD_THEM}"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"needs the plugin library {path}, which cannot be read: {reason(error)}"
    if digest != sidecar.plugin_library_sha256:
        return f"was built with another plugin library than {path}: {BUILD_AGAIN}"
    return None


def load_plugins(trt: ModuleType, sidecar: EngineSidecar, path: Path) -> None:
    """Make TensorRT's registry hold an engine's plugins, once per process.

    Args:
        trt: the module `tensorrt`.
        sidecar: of the engine.
        path: the library.

    Raises:
        BackendMissingError: the registry does not find a plugin after loading.
    """
    registry = trt.get_plugin_registry()
    if _absent(registry, sidecar):
        registry.load_library(str(path))
    absent = _absent(registry, sidecar)
    if absent:
        raise BackendMissingError(
            f"TensorRT {trt.__version__} loaded {path} but does not find {', '.join(absent)}: "
            f"{BUILD_THEM} for this TensorRT"
        )


def _absent(registry: object, sidecar: EngineSidecar) -> list[str]:
    find = registry.get_creator  # type: ignore[attr-defined]
    return [p.name for p in sidecar.plugins if find(p.name, p.version, p.namespace) is None]
