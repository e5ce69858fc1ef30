"""Build the libraries, those for GPUs with CMake: `python -m plugins build`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from plugins.building.cpu import build_cpu
from plugins.building.steps import Say, make_folder, move_into, need, run_step
from plugins.building.toolchain import (
    INCLUDE_VARIABLE,
    TensorRTHeaders,
    find_cmake,
    find_nvcc,
    find_tensorrt,
)
from plugins.errors import MissingToolError

SOURCES = Path(__file__).parent.parent


def build(
    folder: Path, *, architectures: Sequence[str] = (), cpu_only: bool = False, say: Say
) -> list[Path]:
    """Build what this machine has the means for, into `folder`.

    Args:
        folder: where the libraries go; made if need be.
        architectures: GPU architectures such as "87"; empty means all the toolkit has.
        cpu_only: build the library for ONNX Runtime alone.
        say: takes one line about what was found, what is missing, what is being done.

    Returns:
        The libraries that were built, at least one.

    Raises:
        BuildError: a tool is missing, so that nothing can be built, or a compiler failed; the
            message says which and why.
        WrongSettingError: `folder`, or a compiler that $CXX or $CUDACXX names, cannot be used.
    """
    make_folder(folder)
    if cpu_only:
        return [build_cpu(folder, say=say)]
    find_nvcc()  # a wrong $CUDACXX is known before the first compiler has run
    libraries: list[Path] = []
    try:
        libraries.append(build_cpu(folder, say=say))
    except MissingToolError as lack:
        say(f"not built: kernels for ONNX Runtime. {lack}")
    try:
        libraries += _build_gpu(folder, architectures, say)
    except MissingToolError as lack:
        if not libraries:
            raise
        say(f"not built: kernels and plugins for GPUs. {lack}")
    return sorted(libraries)


def _build_gpu(folder: Path, architectures: Sequence[str], say: Say) -> list[Path]:
    """Build the CUDA kernels and plugins.

    Without TensorRT headers that is the kernels library alone; with headers of several major
    versions, the plugin libraries of each.
    """
    cmake, nvcc = need(find_cmake(), "cmake"), need(find_nvcc(), "nvcc")
    say(f"cmake: {cmake}")
    say(f"nvcc: {nvcc}")
    versions = find_tensorrt()
    for headers in versions:
        say(f"TensorRT {headers.major}.{headers.minor} headers: {headers.include}")
    if not versions:
        say(f"TensorRT headers: none, so kernels only (set {INCLUDE_VARIABLE} to their folder)")
    libraries: dict[str, Path] = {}
    targets: list[TensorRTHeaders | None] = [*versions] or [None]
    for target in targets:
        say(f"compiling {_title(target)} ...")
        for library in _build_one(cmake, nvcc, target, architectures, folder):
            libraries[library.name] = library
    return list(libraries.values())


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
        run_step([
            str(cmake), "-S", str(SOURCES), "-B", work,
            f"-DCMAKE_CUDA_COMPILER={nvcc}",
            f"-DSPIKEHALT_TENSORRT_INCLUDE={include}",
            f"-DSPIKEHALT_CUDA_ARCHITECTURES={';'.join(architectures)}",
        ])  # fmt: skip
        run_step([str(cmake), "--build", work, "--parallel", str(os.cpu_count() or 1)])
        return [
            move_into(folder, library) for library in sorted(Path(work).glob("libspikehalt_*.so"))
        ]


def _title(headers: TensorRTHeaders | None) -> str:
    return f"kernels and TensorRT {headers.major} plugins" if headers else "kernels"
