"""Compare the kernels with the references on a GPU, and measure them against a device copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from plugins.common.types import Array
from plugins.libraries import FOLDER_VARIABLE
from plugins.selftest import calls
from plugins.selftest.cases import all_cases, open_kernels
from plugins.selftest.device import Device
from plugins.selftest.part import Case, Sizes
from plugins.selftest.timing import measure, report

Say = Callable[[str], None]


def selftest(library: Path, *, quick: bool, megabytes: int, sanitize: bool, say: Say) -> bool:
    """Run all checks; True when nothing was wrong.

    Args:
        library: the kernels library.
        quick: fewer sizes and no timing.
        megabytes: size of the largest tensor of a timing.
        sanitize: run the quick test once more under compute-sanitizer, where there is one.
        say: takes the lines of the report.

    Raises:
        LibraryError: the library is none of ours.
        NoDeviceError: the machine has no NVIDIA GPU.
        KernelError: a kernel or the CUDA runtime reports an error.
    """
    with Device(open_kernels(library)) as device:
        say(f"{device.name}, compute capability {device.capability[0]}.{device.capability[1]}")
        failures = check_cases(device, all_cases(quick=quick), say)
        if not quick:
            report(measure(device, Sizes(megabytes)), say)
    if sanitize and not run_sanitizer(library, say):
        failures.append("compute-sanitizer")
    return not failures


def check_cases(device: Device, cases: Iterable[Case], say: Say) -> list[str]:
    """Run every case; say how many passed per op; return what failed."""
    passed: dict[str, int] = {}
    failures = []
    for case in cases:
        problem = check_case(device, case)
        passed[case.op] = passed.get(case.op, 0) + (problem is None)
        if problem is not None:
            failures.append(f"{case.op} {case.label}: {problem}")
            say(f"FAILED {failures[-1]}")
    for op, count in passed.items():
        say(f"{op:<14} {count} cases equal the reference, twice with the same bits")
    return failures


def check_case(device: Device, case: Case) -> str | None:
    """None when the kernel gives the reference's results twice, else what differs."""
    with device.scope():
        call = case.prepare(device)
        first, second = calls.run(device, call), calls.run(device, call)
    for index, (a, b, wanted) in enumerate(zip(first, second, case.reference(), strict=True)):
        if a.tobytes() != b.tobytes():
            return f"output {index} differs from run to run"
        if (worst := _difference(a, wanted)) > case.tolerance:
            return f"output {index} is off by {worst:.3g} (allowed: {case.tolerance:.3g})"
    return None


def _difference(got: Array, wanted: Array) -> float:
    """Largest difference; infinite where shapes or types differ or a value is not finite."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return float("inf")
    distance = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
    return float(np.nan_to_num(distance, nan=np.inf).max(initial=0.0))


def run_sanitizer(library: Path, say: Say) -> bool:
    """Repeat the quick test under compute-sanitizer; True when clean or when there is none."""
    tool = shutil.which("compute-sanitizer")
    if tool is None:
        say("compute-sanitizer: not on PATH, so memory accesses were not checked")
        return True
    command = [tool, "--error-exitcode", "1", sys.executable, "-m", "plugins", "selftest"]
    done = subprocess.run(
        [*command, "--quick", "--no-sanitizer"],
        env=os.environ | {FOLDER_VARIABLE: str(library.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = (done.stdout + done.stderr).strip().splitlines()
    clean = done.returncode == 0
    say(
        "compute-sanitizer: no errors" if clean else "\n".join(["compute-sanitizer:", *lines[-20:]])
    )
    return clean
