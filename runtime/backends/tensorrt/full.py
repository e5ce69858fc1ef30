"""Full TensorRT, 10.3 to 11: engines built on this machine, with the project's plugins."""

from __future__ import annotations

from types import ModuleType

from runtime.backends.base import SessionOptions
from runtime.backends.cuda.driver import Cuda
from runtime.backends.plugin_library import library_mismatch, library_path, load_plugins
from runtime.backends.tensorrt import open as tensorrt_open
from runtime.backends.tensorrt.session import Platform, TensorRTSession
from runtime.bundle import Bundle
from runtime.bundle.engine_manifest import EnginePair, EngineSidecar
from runtime.errors import BackendMissingError
from spikehalt.extras import require_extra


def open_tensorrt(bundle: Bundle, options: SessionOptions, reason: str) -> TensorRTSession:
    """Load the bundle's engines.

    Raises:
        BackendMissingError: TensorRT, a fitting engine or the plugins are missing.
        DeviceError: there is no GPU.
        BackendError: TensorRT refuses an engine.
    """
    tensorrt_open.refuse_other_devices(options)
    trt, cuda, pair = _find(bundle)

    def prepare(plan: bytes, name: str, sidecar: EngineSidecar) -> None:
        load_plugins(trt, sidecar, library_path(trt.__version__))

    return TensorRTSession(bundle, Platform(trt, cuda, pair, prepare), options, reason)


def probe_tensorrt(bundle: Bundle, options: SessionOptions) -> str | None:
    """Why this backend cannot run the bundle here, None if it can."""
    return tensorrt_open.probe(lambda: _find(bundle), options)


def _find(bundle: Bundle) -> tuple[ModuleType, Cuda, EnginePair]:
    def objection(sidecar: EngineSidecar) -> str | None:
        return library_mismatch(sidecar, library_path(import_tensorrt().__version__))

    return tensorrt_open.find_engines(bundle, "tensorrt", import_tensorrt, objection)


def import_tensorrt() -> ModuleType:
    """The module.

    Raises:
        BackendMissingError: it is not installed.
    """
    module: ModuleType = require_extra("tensorrt", "tensorrt", "this backend", BackendMissingError)
    return module
