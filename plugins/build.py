"""Build the kernels and plugin libraries with CMake: `python -m plugins build`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from plugins.errors import BuildError, MissingToolError
from plugins.toolchain import (
    INCLUDE_VARIABLE,
    TensorRTHeaders,
    find_cmake,
    find_nvcc,
    find_tensorrt,
)

Say = Callable[[str], None]
SOURCES = Path(__file__).parent


def build(folder: Path, *, architectures: Sequence[str] = (), say: Say) -> list[Path]:
    """Build what this machine has the means for, into `folder`.

    Without TensorRT headers that is the kernels library alone; with headers of several major
    versions, the plugin libraries of each.

    Args:
        folder: where the libraries go; made if need be.
        architectures: GPU architectures such as "87"; empty means all the toolkit has.
        say: takes one line about what was found, what is missing, what is being done.

    Returns:
        The libraries that were built.

    Raises:
        BuildError: a tool is missing or the compiler failed; the message says which and why.
    """
    cmake, nvcc = _need(find_cmake(), "cmake"), _need(find_nvcc(), "nvcc")
    say(f"cmake: {cmake}")
    say(f"nvcc: {nvcc}")
    versions = find_tensorrt()
    for headers in versions:
        say(f"TensorRT {headers.major}.{headers.minor} headers: {headers.include}")
    if not versions:
        say(f"TensorRT headers: none, so kernels only (set {INCLUDE_VARIABLE} to their folder)")
    folder.mkdir(parents=True, exist_ok=True)
    libraries: dict[str, Path] = {}
    targets: list[TensorRTHeaders | None] = [*versions] or [None]
    for target in targets:
        say(f"compiling {_title(target)} ...")
        for library in _build_one(cmake, nvcc, target, architectures, folder):
            libraries[library.name] = library
    return [libraries[name] for name in sorted(libraries)]


def _build_one(
    cmake: Path,
    nvcc: Path,
    headers: TensorRTHeaders | None,
    architectures: Sequence[str],
    folder: Path,
) -> list[Path]:
    """Configure and compile in a temporary folder, then move the libraries into place."""
    with tempfile.TemporaryDirectory(prefix="spikehalt-build-") as work:
        include = headers.include.resolve() if headers else ""
        _run([
            str(cmake), "-S", str(SOURCES), "-B", work,
            f"-DCMAKE_CUDA_COMPILER={nvcc}",
            f"-DSPIKEHALT_TENSORRT_INCLUDE={include}",
            f"-DSPIKEHALT_CUDA_ARCHITECTURES={';'.join(architectures)}",
        ])  # fmt: skip
        _run([str(cmake), "--build", work, "--parallel", str(os.cpu_count() or 1)])
        return [_move(library, folder) for library in sorted(Path(work).glob("libspikehalt_*.so"))]


def _move(library: Path, folder: Path) -> Path:
    """Move a library so that a process which has the old one open keeps it whole."""
    staged = folder / f".{library.name}.new"
    shutil.copy2(library, staged)
    return staged.replace(folder / library.name)


def _run(command: list[str]) -> None:
    """Run a build step; its last lines become the error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip().splitlines()
        tail = "\n".join(output[-30:])
        raise BuildError(f"This command failed:\n  {' '.join(command)}\nIts last lines:\n{tail}")


def _need(tool: Path | None, name: str) -> Path:
    """The tool, or an error that says how to get it."""
    remedies = {
        "cmake": "Install CMake 3.18 or newer (apt install cmake, or pip install cmake).",
        "nvcc": "Install the CUDA toolkit (on a Jetson: apt install cuda-toolkit), or set CUDACXX.",
    }
    if tool is None:
        raise MissingToolError(f"There is no {name}. {remedies[name]}")
    return tool


def _title(headers: TensorRTHeaders | None) -> str:
    return f"kernels and TensorRT {headers.major} plugins" if headers else "kernels"
