from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from plugins.building.toolchain import INCLUDE_VARIABLE, TensorRTHeaders, find_tensorrt
from tests.plugins import compilers

HEADERS = find_tensorrt()
PLUGIN_SOURCES = sorted(
    [*compilers.SOURCES.glob("*/*_plugin.cpp"), *compilers.SOURCES.glob("tensorrt/*.cpp")]
)
NO_HEADERS = f"no TensorRT headers: name their folders in {INCLUDE_VARIABLE}"
DRIVER = Path(compilers.__file__).parent / "driver" / "driver.cpp"


@dataclass(frozen=True)
class Libraries:
    """The plugins of one TensorRT version, their kernels compiled for the host."""

    major: int
    dynamic: Path
    static: Path
    driver: Path


@pytest.fixture(
    scope="session",
    params=HEADERS or [pytest.param(None, marks=pytest.mark.skip(reason=NO_HEADERS))],
    ids=lambda headers: f"trt{headers.major}.{headers.minor}" if headers else "",
)
def headers(request: pytest.FixtureRequest) -> TensorRTHeaders:
    return request.param


@pytest.fixture(scope="session")
def libraries(headers: TensorRTHeaders, build_folder: Path, emulated_library: Path) -> Libraries:
    """Both libraries and the driver, all warnings being errors.

    What the two have in common is compiled once; the kernels are those of `emulated_library`.
    """
    stem = f"trt{headers.major}"
    system = ["-isystem", compilers.EMULATION, "-isystem", headers.include]
    shared = [path for path in PLUGIN_SOURCES if not path.name.endswith("_library.cpp")]
    common = compilers.compile_cxx(
        ["-r", "-nostdlib", *system, *shared], build_folder / f"{stem}_common.o"
    )
    made = {}
    for kind in ("dynamic", "static"):
        own = compilers.SOURCES / "tensorrt" / f"{kind}_library.cpp"
        arguments = ["-shared", *system, own, common, emulated_library]
        arguments += [f"-Wl,-rpath,{build_folder}", "-ldl"]
        made[kind] = compilers.compile_cxx(arguments, build_folder / f"{stem}_{kind}.so")
    driver = compilers.compile_cxx([*system, DRIVER, "-ldl"], build_folder / f"{stem}_driver")
    return Libraries(headers.major, made["dynamic"], made["static"], driver)
