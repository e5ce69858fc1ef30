"""Backends by name, and how "auto" chooses one and says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from runtime.backends.base import BackendInfo, ChunkOutputs, Session, SessionOptions
from runtime.backends.layouts import DUTIES
from runtime.bundle import Bundle
from runtime.errors import BackendError, BackendMissingError
from spikehalt.errors import ConfigError
from spikehalt.strict import unknown_name

__all__ = [
    "AUTO",
    "BackendInfo",
    "ChunkOutputs",
    "Session",
    "SessionOptions",
    "names",
    "open_session",
    "why_not",
]

AUTO = "auto"
Opener = Callable[[Bundle, SessionOptions, str], Session]
Probe = Callable[[Bundle, SessionOptions], "str | None"]


@dataclass(frozen=True)
class Backend:
    """One entry of the registry.

    Attributes:
        probe: why it cannot run this bundle here, None if it can.
        open: load the bundle.
    """

    probe: Probe
    open: Opener


def names() -> list[str]:
    """Every backend that can be asked for, "auto" first."""
    return [AUTO, *_REGISTRY]


def open_session(backend: str, bundle: Bundle, options: SessionOptions) -> Session:
    """Load a bundle into a backend.

    Args:
        backend: one of `names()`.
        bundle: an opened bundle.
        options: threads, spinning, device.

    Raises:
        ConfigError: an unknown backend.
        BackendError: it cannot run here.
    """
    session = _open(backend, bundle, options)
    return DUTIES[bundle.manifest.layout].session(session, bundle.manifest)


def why_not(backend: str, bundle: Bundle, options: SessionOptions) -> str | None:
    """Why a backend cannot run a bundle here, None if it can.

    Raises:
        ConfigError: an unknown backend.
    """
    if backend not in _REGISTRY:
        raise ConfigError(unknown_name("backend", backend, list(_REGISTRY)))
    return _REGISTRY[backend].probe(bundle, options)


def _open(backend: str, bundle: Bundle, options: SessionOptions) -> Session:
    if backend == AUTO:
        return _open_auto(bundle, options)
    if backend not in _REGISTRY:
        raise ConfigError(unknown_name("backend", backend, names()))
    return _REGISTRY[backend].open(bundle, options, "asked for by name")


def _open_auto(bundle: Bundle, options: SessionOptions) -> Session:
    """The first backend of the registry that can run the bundle, best first."""
    refusals: list[str] = []
    for name, backend in _REGISTRY.items():
        problem = backend.probe(bundle, options)
        if problem is None:
            passed_over = f"; passed over: {'; '.join(refusals)}" if refusals else ""
            return backend.open(bundle, options, f"first that can run here{passed_over}")
        refusals.append(f"{name}: {problem}")
    raise BackendMissingError(f"no backend can run {bundle.root}: {'; '.join(refusals)}")


def _probe_onnxruntime(bundle: Bundle, options: SessionOptions) -> str | None:
    from runtime.backends.onnxruntime import session as onnxruntime

    try:
        onnxruntime.check_device(options.device or "cpu")
    except BackendError as error:
        return str(error)
    return None


def _open_onnxruntime(bundle: Bundle, options: SessionOptions, reason: str) -> Session:
    from runtime.backends.onnxruntime.session import OnnxRuntimeSession

    return OnnxRuntimeSession(bundle, options, reason)


def _open_onnxruntime_cuda(bundle: Bundle, options: SessionOptions, reason: str) -> Session:
    return _open_onnxruntime(bundle, dataclasses.replace(options, device="cuda"), reason)


def _probe_onnxruntime_cuda(bundle: Bundle, options: SessionOptions) -> str | None:
    if options.device not in (None, "cuda"):
        return f"device {options.device!r} was asked for"
    if options.device is None:
        return "is used only when asked for, by backend='onnxruntime-cuda' or device='cuda'"
    return _probe_onnxruntime(bundle, options)


def _probe_tensorrt(bundle: Bundle, options: SessionOptions) -> str | None:
    from runtime.backends.tensorrt.full import probe_tensorrt

    return probe_tensorrt(bundle, options)


def _open_tensorrt(bundle: Bundle, options: SessionOptions, reason: str) -> Session:
    from runtime.backends.tensorrt.full import open_tensorrt

    return open_tensorrt(bundle, options, reason)


def _probe_tensorrt_rtx(bundle: Bundle, options: SessionOptions) -> str | None:
    from runtime.backends.tensorrt.rtx import probe_tensorrt_rtx

    return probe_tensorrt_rtx(bundle, options)


def _open_tensorrt_rtx(bundle: Bundle, options: SessionOptions, reason: str) -> Session:
    from runtime.backends.tensorrt.rtx import open_tensorrt_rtx

    return open_tensorrt_rtx(bundle, options, reason)


_REGISTRY: dict[str, Backend] = {
    "tensorrt": Backend(_probe_tensorrt, _open_tensorrt),
    "tensorrt-rtx": Backend(_probe_tensorrt_rtx, _open_tensorrt_rtx),
    "onnxruntime": Backend(_probe_onnxruntime, _open_onnxruntime),
    "onnxruntime-cuda": Backend(_probe_onnxruntime_cuda, _open_onnxruntime_cuda),
}
