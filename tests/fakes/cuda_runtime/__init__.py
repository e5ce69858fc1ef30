"""Run a library that was built for CUDA where there is no GPU: its host code for real, no kernels.

`build` compiles stand_in.c and driver.c and says with which environment to start a process. It
takes nvcc, for CUDA's headers, of the major version that the library was built for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from plugins.building.toolchain import find_nvcc

HERE = Path(__file__).parent
STAND_IN, DRIVER = HERE / "stand_in.c", HERE / "driver.c"
# Names of functions, in whatever way a library refers to them.
RUNTIME_NAMES = re.compile(rb"(?<!\w)(?:cuda|cublas|cudnn|cusparse|cusolver|curand)[A-Z]\w+")


@dataclass(frozen=True)
class CudaPython:
    """A Python of an environment of its own, whose libraries believe that they have a GPU.

    Attributes:
        python: its program.
        environment: of its processes.
    """

    python: str
    environment: dict[str, str]

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """A script with its arguments; it must end well."""
        found = subprocess.run(
            [self.python, *map(str, words)], capture_output=True, text=True, errors="replace",
            env=self.environment, timeout=600, check=False,
        )  # fmt: skip
        assert found.returncode == 0, found.stderr[-3000:]
        return found


def open_python(
    variable: str, folder: Path, libraries: Sequence[str], paths: Sequence[str] = ()
) -> CudaPython:
    """The Python that an environment variable names, over a stand-in; skips where there is none.

    Args:
        variable: its name.
        folder: an empty one, for the stand-in.
        libraries: what was built for CUDA, below the Python's site-packages; those that exist.
        paths: where the CUDA libraries lie that they are linked with, likewise.
    """
    python, nvcc = os.environ.get(variable), find_nvcc()
    if not python or not nvcc:
        pytest.skip(f"{variable} names no Python with libraries for CUDA, or there is no nvcc")
    asked = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(subprocess.check_output([python, "-c", asked], text=True).strip())
    there = [site / each for each in libraries if (site / each).is_file()]
    return CudaPython(python, build(folder, nvcc, there, [site / each for each in paths]))


def build(
    folder: Path, nvcc: Path, libraries: Sequence[Path], paths: Sequence[Path] = ()
) -> dict[str, str]:
    """Compile the stand-ins into `folder`.

    Args:
        folder: an empty one.
        nvcc: CUDA's compiler.
        libraries: what was built for CUDA.
        paths: where the CUDA libraries lie that they are linked with.

    Returns:
        The environment of a process that loads the libraries.
    """
    (folder / "rest.c").write_text("".join(_missing(_runtime_names(libraries), STAND_IN)))
    (folder / "driver_rest.c").write_text("".join(_missing(_driver_names(nvcc, folder), DRIVER)))
    preloaded, driver = folder / "stand_in.so", folder / "libcuda.so.1"
    shared = [nvcc, "-shared", "-cudart", "none", "-Xcompiler", "-w,-fPIC"]
    subprocess.run([*shared, STAND_IN, folder / "rest.c", "-o", preloaded], check=True)
    named = ["-Xlinker", "-soname=libcuda.so.1", "-ldl", "-o", driver]
    subprocess.run([*shared, DRIVER, folder / "driver_rest.c", *named], check=True)
    shutil.copy(preloaded, folder / "libcudnn.so.9")  # some look it up in a file of its own
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, [folder, *paths])),
        "LD_PRELOAD": str(preloaded),
    }


def _runtime_names(libraries: Iterable[Path]) -> set[str]:
    return {
        name.decode() for each in libraries for name in RUNTIME_NAMES.findall(each.read_bytes())
    }


def _driver_names(nvcc: Path, folder: Path) -> set[str]:
    """What cuda.h declares."""
    source = folder / "header.c"
    source.write_text("#include <cuda.h>\n")
    text = subprocess.check_output([nvcc, "-E", source], text=True)
    declared = set(re.findall(r"CUresult\s+(cu\w+)\(", text))
    return declared | {f"{name}_v2" for name in declared if not name.endswith("_v2")}


def _missing(names: Iterable[str], source: Path) -> Iterator[str]:
    """Functions that the source does not define: each returns 0, and a handle where it creates."""
    defined = set(re.findall(r"\b\w+(?=\()", source.read_text()))
    yield "#include <stdlib.h>\n"
    for name in sorted(set(names) - defined):
        creates = re.match(r"(cublas|cudnn|cusparse|cusolver|curand)\w*Create", name)
        if creates:
            yield f"int {name}(void **made) {{ *made = calloc(1, 4096); return 0; }}\n"
        else:
            yield f"int {name}(void) {{ return 0; }}\n"
