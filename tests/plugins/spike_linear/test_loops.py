"""The loops of every instruction set, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.plugins import compilers

DRIVER = Path(__file__).with_name("driver.cpp")
SHARED = ("costs_loops.cpp", "finish_loops.cpp", "large_pages_loops.cpp", "weights_loops.cpp")
LOOPS = sorted(
    path
    for path in (compilers.SOURCES / "spike_linear").glob("*_loops.cpp")
    if path.name not in SHARED
)
SOURCES = [DRIVER, *LOOPS, compilers.SOURCES / "onnxruntime" / "instructions.cpp"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CROSS, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


def test_every_set_of_this_cpu_sums_exactly(build_folder):
    if compilers.cxx() is None:
        pytest.skip("no C++ compiler: set CXX or install g++")
    program = compilers.compile_cxx([*SANITIZERS, *SOURCES], build_folder / "spike_sums")
    assert "plain" in sets_that_hold([str(program)])


def test_the_sets_of_aarch64_sum_exactly(build_folder):
    if shutil.which(CROSS) is None or shutil.which(EMULATOR) is None:
        pytest.skip(
            f"{CROSS} and {EMULATOR} (Debian: g++-aarch64-linux-gnu, qemu-user) are missing"
        )
    flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-static", *compilers.WARNINGS]
    program = build_folder / "spike_sums_aarch64"
    compilers.build_once([CROSS, *flags, *map(str, SOURCES)], program)
    sets = sets_that_hold([EMULATOR, "-cpu", "max", str(program)])
    assert sets == ["plain", "neon", "dotprod"]


def sets_that_hold(command):
    """The sets that the driver compared."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()
