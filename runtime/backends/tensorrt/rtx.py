"""TensorRT-RTX: plugin-free engines built ahead of time, compiled for this GPU when loaded."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from runtime.backends.base import SessionOptions
from runtime.backends.cuda.driver import Cuda
from runtime.backends.tensorrt import open as tensorrt_open
from runtime.backends.tensorrt.log import MessageLog
from runtime.backends.tensorrt.session import Platform, TensorRTSession
from runtime.bundle import Bundle
from runtime.bundle.engine_manifest import EnginePair, EngineSidecar
from runtime.errors import BackendError, BackendMissingError
from spikehalt.extras import require_extra


def open_tensorrt_rtx(bundle: Bundle, options: SessionOptions, reason: str) -> TensorRTSession:
    """Load the bundle's engines.

    Raises:
        BackendMissingError: TensorRT-RTX or a fitting engine is missing.
        DeviceError: there is no GPU.
        BackendError: TensorRT-RTX refuses an engine.
    """
    tensorrt_open.refuse_other_devices(options)
    trt, cuda, pair = _find(bundle)

    def prepare(plan: bytes, name: str, sidecar: EngineSidecar) -> None:
        cuda.make_current()
        refuse_invalid(trt, plan, name)

    platform = Platform(trt, cuda, pair, prepare, compiles=True)
    return TensorRTSession(bundle, platform, options, reason)


def probe_tensorrt_rtx(bundle: Bundle, options: SessionOptions) -> str | None:
    """Why this backend cannot run the bundle here, None if it can."""
    return tensorrt_open.probe(lambda: _find(bundle), options)


def _find(bundle: Bundle) -> tuple[ModuleType, Cuda, EnginePair]:
    return tensorrt_open.find_engines(bundle, "tensorrt-rtx", import_tensorrt_rtx)


def refuse_invalid(trt: ModuleType, plan: bytes, name: str) -> None:
    """Ask the library whether it could run a plan, from its header.

    Args:
        trt: the module `tensorrt_rtx`.
        plan: the engine.
        name: of the file.

    Raises:
        BackendError: it could not; says why as far as the library does.
    """
    log = MessageLog(trt)
    runtime = trt.Runtime(log.logger)
    header = plan[: runtime.engine_header_size]
    validity, diagnostics = runtime.get_engine_validity(header)
    if validity == trt.EngineValidity.INVALID:
        raise BackendError(
            f"TensorRT-RTX {trt.__version__} cannot run {name} on this GPU "
            f"({_reasons(trt, diagnostics)}): build it again with `python -m export.to_trt`"
        )


def _reasons(trt: ModuleType, diagnostics: Any) -> str:
    """Names of the diagnostic bits that are set."""
    bits = int(diagnostics)
    members = trt.EngineInvalidityDiagnostics.__members__.items()
    found = [name.lower().replace("_", " ") for name, bit in members if int(bit) & bits]
    return ", ".join(found) or "it gives no reason"


def import_tensorrt_rtx() -> ModuleType:
    """The module.

    Raises:
        BackendMissingError: it is not installed.
    """
    module: ModuleType = require_extra(
        "tensorrt_rtx", "tensorrt-rtx", "this backend", BackendMissingError
    )
    return module
