"""The tools that build op libraries: compilers (each is run once), cmake, TensorRT's headers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from plugins.building.toolchain import find_cmake, find_cxx, find_nvcc, find_tensorrt
from plugins.errors import WrongSettingError
from plugins.libraries import (
    ONNXRUNTIME_NAME,
    built_libraries,
    library_folder,
    measured_files,
)
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
    yield from _measured()


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


def _measured() -> Iterator[Finding]:
    """Where the break-even between listing spikes and multiplying is kept, if kernels are there."""
    folder = library_folder()
    if not (folder / ONNXRUNTIME_NAME).exists():
        return
    files = measured_files(folder)
    detail = "measured by the first layer of every width, then kept in " + str(folder)
    if files:
        detail = f"kept in {folder}: {', '.join(file.name for file in files)}"
    yield Finding("library", "break-even of spikes", True, detail)
