"""Find the project's native ops for ONNX Runtime and give them to a session.

A graph runs without them, through the ops' function bodies, which are many small nodes. With them
it is one node for each, and where the library lacks an op its body runs. They are for processors:
another provider would have to copy between devices around every one.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import BackendMissingError
from spikehalt.places import NoPlaceError, plugin_folder, why_no_file

LIBRARY = "libspikehalt_onnxruntime_v1.so"  # of version 1 of the ops
BUILD_THEM = "build them with `python -m plugins build`"


@dataclass(frozen=True)
class NativeOps:
    """Whether a session gets the native ops.

    Attributes:
        path: the library; None: function bodies run.
        why: in words, for `info`.
    """

    path: Path | None
    why: str


def choose_native_ops(ort: Any, *, wanted: bool | None, device: str, precision: str) -> NativeOps:
    """Decide for the sessions of one bundle.

    Args:
        ort: the module `onnxruntime`.
        wanted: True: they must be there; False: leave them out; None: take them where they are.
        device: "cpu" or "cuda".
        precision: of the bundle; the ops have no float16.

    Raises:
        BackendMissingError: they are wanted and cannot be used; the message says why.
    """
    if wanted is False:
        return NativeOps(None, "not wanted")
    path, problem = _find(ort, device, precision)
    if path is not None:
        return NativeOps(path, str(path))
    if wanted:
        raise BackendMissingError(f"the native ops for ONNX Runtime cannot be used: {problem}")
    return NativeOps(None, f"none: {problem}")


def _find(ort: Any, device: str, precision: str) -> tuple[Path | None, str]:
    """The library, or None and why it cannot be used."""
    if device != "cpu":
        return None, f"they are for device 'cpu', not {device!r}"
    if precision == "fp16":
        return None, "they have no float16"
    try:
        path = plugin_folder() / LIBRARY
    except NoPlaceError as error:
        return None, str(error)
    absent = why_no_file(path)
    if absent:
        return None, f"{absent}: {BUILD_THEM}"
    problem = _refusal(ort, path)
    return (None, problem) if problem else (path, "")


def _refusal(ort: Any, path: Path) -> str:
    """Why ONNX Runtime cannot load the library; empty if it can."""
    try:
        ort.SessionOptions().register_custom_ops_library(str(path))
    except Exception as error:  # its exceptions share no base class
        text = " ".join(str(error).split())[:300]
        return f"ONNX Runtime {ort.__version__} on {platform.machine()} refuses {path}: {text}"
    return ""
