"""What all builds do: run a compiler, and put a library where it belongs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from plugins.errors import BuildError, MissingToolError, WrongSettingError
from plugins.libraries import FOLDER_VARIABLE

Say = Callable[[str], None]

REMEDIES = {
    "cmake": "Install CMake 3.18 or newer (apt install cmake, or pip install cmake).",
    "nvcc": "Install the CUDA toolkit (on a Jetson: apt install cuda-toolkit), or set CUDACXX.",
    "C++ compiler": "Install one (apt install g++), or set CXX.",
}


def need(tool: Path | None, name: str) -> Path:
    """The tool, or an error that says how to get it."""
    if tool is None:
        raise MissingToolError(f"There is no {name}. {REMEDIES[name]}")
    return tool


def run_step(command: list[str]) -> None:
    """Run a build step.

    Raises:
        BuildError: it failed; the message has its last line, `output` the last thirty.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip().splitlines()
        why = output[-1] if output else f"status {done.returncode}"
        raise BuildError(
            f"{command[0]} failed ({why}). The whole command: {' '.join(command)}",
            "".join(f"{line}\n" for line in output[-30:]),
        )


def make_folder(folder: Path) -> None:
    """Make the libraries' folder before minutes of compiling, which would fail at their end.

    Raises:
        WrongSettingError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot be made ({error.strerror})"
    else:
        if os.access(folder, os.W_OK | os.X_OK):
            return
        problem = "cannot be written to"
    raise WrongSettingError(
        f"The libraries' folder {folder} {problem}. Name another one with --out or in "
        f"${FOLDER_VARIABLE}."
    )


def move_into(folder: Path, library: Path) -> Path:
    """Replace a library in one step: a process that has the old file open keeps using it."""
    staged = folder / f".{library.name}.new"
    shutil.copy2(library, staged)
    return staged.replace(folder / library.name)
