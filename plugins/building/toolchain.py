"""What the machine has for building: C++ compiler, cmake, nvcc, TensorRT headers."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plugins.errors import WrongSettingError
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.reading import read_file

INCLUDE_VARIABLE: Final = "SPIKEHALT_TENSORRT_INCLUDE"
"""Folders with TensorRT headers, separated as in PATH; several versions may be named."""

_VERSION = re.compile(r"define (?:NV_TENSORRT|TRT)_(MAJOR|MINOR)(?:_ENTERPRISE)? +(\d{1,6})")
_MAX_HEADER_BYTES = 2**20


@dataclass(frozen=True)
class TensorRTHeaders:
    """A folder with TensorRT's headers.

    Args:
        include: the folder of `NvInferRuntime.h`.
        major: TensorRT's major version.
        minor: TensorRT's minor version.
    """

    include: Path
    major: int
    minor: int


def find_cxx() -> Path | None:
    """`$CXX`, or the first C++ compiler on PATH.

    Raises:
        WrongSettingError: $CXX names none.
    """
    found = map(shutil.which, ("c++", "g++", "clang++"))
    return _named_by("CXX") or _path(next((compiler for compiler in found if compiler), None))


def find_cmake() -> Path | None:
    """The `cmake` on PATH."""
    return _path(shutil.which("cmake"))


def find_nvcc() -> Path | None:
    """`$CUDACXX`, the `nvcc` on PATH, or that of /usr/local/cuda.

    Raises:
        WrongSettingError: $CUDACXX names none.
    """
    usual = Path("/usr/local/cuda/bin/nvcc")
    found = _named_by("CUDACXX") or _path(shutil.which("nvcc"))
    return found or (usual if usual.is_file() else None)


def find_tensorrt() -> list[TensorRTHeaders]:
    """TensorRT headers in `$SPIKEHALT_TENSORRT_INCLUDE` or the system's folders.

    One per major version, the first found; the variable comes before the system.
    """
    found: dict[int, TensorRTHeaders] = {}
    for include in _include_folders():
        headers = read_headers(include)
        if headers is not None:
            found.setdefault(headers.major, headers)
    return sorted(found.values(), key=lambda headers: headers.major)


def read_headers(include: Path) -> TensorRTHeaders | None:
    """The version of the headers in `include`, or None when there are none that work.

    IPluginV3 came with 10.0, so older headers count as none.
    """
    version_file = include / "NvInferVersion.h"
    if not version_file.is_file() or not (include / "NvInferRuntime.h").is_file():
        return None
    with raised_as(WrongSettingError):
        text = read_file(version_file, _MAX_HEADER_BYTES).decode(errors="replace")
    numbers = dict(reversed(_VERSION.findall(text)))
    headers = TensorRTHeaders(include, int(numbers.get("MAJOR", 0)), int(numbers.get("MINOR", 0)))
    return headers if headers.major >= 10 else None


def _include_folders() -> Iterable[Path]:
    """The folders to look into, most wanted first."""
    for given in os.environ.get(INCLUDE_VARIABLE, "").split(os.pathsep):
        if given:
            yield Path(given)
    yield Path("/usr/include") / f"{platform.machine()}-linux-gnu"
    yield Path("/usr/include")
    yield Path("/usr/local/tensorrt/include")


def _named_by(variable: str) -> Path | None:
    """The program a variable names, or None where it is not set.

    No other compiler takes its place: that would not be what was asked for.
    """
    name = os.environ.get(variable)
    if not name:
        return None
    found = shutil.which(name)
    if found is None:
        raise WrongSettingError(
            f"${variable} is {name!r}, which is no program here. Set it to the path of a compiler, "
            "without flags or launchers, or unset it to use the one that is found."
        )
    return Path(found)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
