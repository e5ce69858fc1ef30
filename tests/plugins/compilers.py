"""Compilers for the tests, and the kernels built to run on the host."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import plugins

SOURCES = Path(plugins.__file__).parent
EMULATION = Path(__file__).parent / "cuda_emulation"
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
KERNELS = sorted(SOURCES.glob("*/*.cu"))


def cxx() -> str | None:
    """The C++ compiler: $CXX, or what the path has."""
    return os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")


def compile_cxx(arguments: Sequence[str | Path], output: Path) -> Path:
    """Compile to `output` once per content of the sources; later calls find it there.

    Fortified longjmp refuses to switch between stacks, which is how fibers work.
    """
    compiler = cxx()
    assert compiler is not None
    command = [compiler, "-std=c++17", "-O1", "-ffp-contract=off", "-U_FORTIFY_SOURCE", "-fPIC"]
    command += [*WARNINGS, *map(str, arguments)]
    return build_once(command, output)


def build_once(command: list[str], output: Path) -> Path:
    """Run `command -o output` unless `output` was already made from the same sources."""
    key = hashlib.sha256("\0".join(command).encode())
    for source in sorted([*SOURCES.rglob("*"), *Path(__file__).parent.rglob("*")]):
        if source.suffix in {".cu", ".cuh", ".h", ".cpp"}:
            key.update(source.read_bytes())
    stamp = output.with_name(output.name + ".key")
    with output.with_name(output.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (output.exists() and stamp.exists() and stamp.read_text() == key.hexdigest()):
            done = subprocess.run([*command, "-o", str(output)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            stamp.write_text(key.hexdigest())
    return output
