"""Load the plugins into TensorRT's registry, once, and prove that they are there."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from plugins.common.contract import DOMAIN, VERSION
from plugins.errors import LibraryError, RegistryError
from plugins.libraries import find_plugins
from plugins.ops import PLUGIN_OPS
from spikehalt.extras import require_extra

REMEDY_RTX = (
    "TensorRT-RTX has no plugin layers (parsing a model with plugins ends its process); export "
    "for it with --target tensorrt-rtx, which keeps the function bodies."
)


def load_plugins(trt: ModuleType | None = None, *, library: Path | None = None) -> Path | None:
    """Make the registry of `trt` hold all ops under the project's namespace.

    Args:
        trt: the module `tensorrt` (or a lean or dispatch one); imported when None.
        library: the plugin library; found by TensorRT's major version when None.

    Returns:
        The library that was loaded, or None when the registry already had every op.

    Raises:
        RegistryError: TensorRT is not there, is TensorRT-RTX, refuses the library, or does not
            find the ops after loading it.
        LibraryError: the library for this TensorRT has not been built.
    """
    module = trt or _import_tensorrt()
    if module.__name__.startswith("tensorrt_rtx"):
        raise RegistryError(REMEDY_RTX)
    registry = module.get_plugin_registry()
    absent = missing_ops(registry)
    if not absent:
        return None
    if len(absent) < len(PLUGIN_OPS):
        raise RegistryError(
            f"The registry has some of our ops but not {', '.join(absent)}: an older plugin "
            "library was loaded before. Load one library, built from this version, per process."
        )
    path = library or find_plugins(int(module.__version__.split(".")[0]))
    _load(registry, path, module.__version__)
    return path


def missing_ops(registry: Any) -> list[str]:
    """The ops that `registry` does not find by name, version and namespace."""
    return [op for op in PLUGIN_OPS if registry.get_creator(op, str(VERSION), DOMAIN) is None]


def _load(registry: Any, path: Path, version: str) -> None:
    """Load the library and look up what it registered.

    TensorRT may return no handle although the creators are registered, so only a lookup counts.
    """
    if not path.is_file():
        raise LibraryError(f"There is no {path}; build it with: python -m plugins build")
    registry.load_library(str(path))
    absent = missing_ops(registry)
    if absent:
        raise RegistryError(
            f"TensorRT {version} loaded {path} but does not find {', '.join(absent)} in namespace "
            f"{DOMAIN!r}. The library is for another TensorRT major version or damaged; build it "
            "again here with: python -m plugins build"
        )


def _import_tensorrt() -> ModuleType:
    module: ModuleType = require_extra("tensorrt", "tensorrt", "loading plugins", RegistryError)
    return module
