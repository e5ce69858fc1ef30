"""Compile the kernels for ONNX Runtime on CPUs; a C++ compiler is all it takes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from plugins.building.steps import Say, move_into, need, run_step
from plugins.building.toolchain import find_cxx
from plugins.errors import MissingToolError
from plugins.libraries import ONNXRUNTIME_NAME, measured_files

SOURCES = Path(__file__).parent.parent
# A spike depends on a threshold, so a product and a sum must not be fused into one rounding. No
# code reads floating-point exceptions or errno; without them compilers vectorise more loops.
FLAGS = (
    "-std=c++17", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno",
    "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra",
)  # fmt: skip
# -fvisibility does not hide the versions of a function for several CPUs, which glibc alone has
# (onnxruntime/vectors.h); a version script does. Apple's linker knows none.
_LINKER_FLAGS = {
    "linux": (f"-Wl,--version-script={SOURCES / 'onnxruntime' / 'exports.map'}",),
    "darwin": (),
}
_LIBRARIES = {"linux": ("-ldl",)}  # for dladdr before glibc 2.34


def build_cpu(folder: Path, *, say: Say) -> Path:
    """Build the library for ONNX Runtime into `folder`, which must exist.

    Raises:
        BuildError: there is no C++ compiler, it failed, or the platform is neither Linux nor macOS;
            the message says which and why.
        WrongSettingError: $CXX names no compiler.
    """
    if sys.platform not in _LINKER_FLAGS:
        raise MissingToolError(
            f"Kernels for ONNX Runtime are built on Linux and macOS only, not on {sys.platform}. "
            "Run bundles without them: their function bodies compute the same."
        )
    compiler = need(find_cxx(), "C++ compiler")
    say(f"C++ compiler: {compiler}")
    say("compiling kernels for ONNX Runtime ...")
    with tempfile.TemporaryDirectory(prefix="spikehalt-build-") as work:
        library = Path(work) / ONNXRUNTIME_NAME
        run_step([*compile_command(compiler), "-o", str(library)])
        placed = move_into(folder, library)
    for stale in measured_files(folder):
        stale.unlink(missing_ok=True)
    return placed


def compile_command(compiler: Path | str, extra: Sequence[str] = ()) -> list[str]:
    """The compiler's command line, without the output file."""
    linking = _LINKER_FLAGS.get(sys.platform, ())
    libraries = _LIBRARIES.get(sys.platform, ())
    return [str(compiler), *FLAGS, *linking, *extra, *map(str, sources()), *libraries]


def sources() -> list[Path]:
    """The files of the library: what each op adds, and what they share."""
    shared = SOURCES.glob("onnxruntime/*.cpp")
    ops = SOURCES.glob("*/*_onnxruntime.cpp")
    loops = SOURCES.glob("*/*_loops.cpp")
    return sorted([*shared, *ops, *loops])
