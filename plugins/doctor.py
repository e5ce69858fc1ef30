"""The tools that build op libraries: compilers (each is run once), cmake, TensorRT's headers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from plugins.building.toolchain import find_cmake, find_cxx, find_nvcc, find_tensorrt
from plugins.errors import WrongSettingError
from plugins.libraries import built_libraries, library_folder
from spikehalt.doctor.finding import Finding, broken

_TOOLS: dict[str, tuple[Callable[[], Path | None], str]] = {
    "C++ compiler": (find_cxx, "apt install g++"),
    "cmake": (find_cmake, "apt install cmake"),
    "nvcc": (find_nvcc, "apt install nvidia-cuda-toolkit"),
}


def findings() -> Iterator[Finding]:
    """One finding per tool, for TensorRT's headers, and for the libraries that were built."""
    yield from (_tool(name, find, remedy) for name, (find, remedy) in _TOOLS.items())
    yield _headers()
    yield _libraries()


def _tool(name: str, find: Callable[[], Path | None], remedy: str) -> Finding:
    try:
        path = find()
    except WrongSettingError as error:
        return broken("tool", name, error)
    if path is None:
        return Finding("tool", name, False, "none is on the path", remedy)
    done = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
    if done.returncode:
        return broken("tool", name, f"{path} fails: {done.stderr.strip()}", remedy)
    lines = done.stdout.strip().splitlines() or ["no version"]
    return Finding("tool", name, True, f"{path}: {lines[-1 if name == 'nvcc' else 0]}")


def _headers() -> Finding:
    found = find_tensorrt()
    if not found:
        text = "TensorRT plugins need those of 10.0 or newer"
        return Finding(
            "tool", "TensorRT headers", False, text, "apt install libnvinfer-headers-dev"
        )
    places = ", ".join(f"{each.major}.{each.minor} in {each.include}" for each in found)
    return Finding("tool", "TensorRT headers", True, places)


def _libraries() -> Finding:
    names = ", ".join(each.name for each in built_libraries())
    if not names:
        text = f"none is in {library_folder()}"
        return Finding("library", "ops", False, text, "spikehalt plugins build")
    return Finding("library", "ops", True, f"{library_folder()}: {names}")
