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
from pathlib import Path

HERE = Path(__file__).parent
STAND_IN, DRIVER = HERE / "stand_in.c", HERE / "driver.c"
# Names of functions, in whatever way a library refers to them.
RUNTIME_NAMES = re.compile(rb"(?<!\w)(?:cuda|cublas|cudnn|cusparse|cusolver|curand)[A-Z]\w+")


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
