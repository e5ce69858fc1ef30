from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.selftest.cases import open_kernels
from plugins.selftest.device import Device
from plugins.selftest.kernels import Kernels
from tests.plugins import compilers


@pytest.fixture(scope="session")
def emulated_library(build_folder: Path) -> Path:
    """The kernels library, compiled for the host against an emulation of CUDA."""
    if compilers.cxx() is None:
        pytest.skip("no C++ compiler: set CXX or install g++ to run the kernels on the host")
    arguments = ["-shared", "-x", "c++", "-isystem", compilers.EMULATION, *compilers.KERNELS]
    return compilers.compile_cxx(arguments, build_folder / "libspikehalt_emulated.so")


@pytest.fixture(scope="session")
def emulated_kernels(emulated_library: Path) -> Kernels:
    return open_kernels(emulated_library)


@pytest.fixture
def device(emulated_kernels: Kernels) -> Iterator[Device]:
    """A device whose kernels run on the host."""
    with Device(emulated_kernels) as opened:
        yield opened
