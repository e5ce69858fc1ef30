from __future__ import annotations

from pathlib import Path

import pytest

from plugins.build_cpu import compile_command
from plugins.libraries import ONNXRUNTIME_NAME
from plugins.toolchain import find_cxx
from tests.plugins import compilers
from tests.plugins.onnxruntime.nodes import Native


@pytest.fixture(scope="session")
def native_library(build_folder: Path) -> Path:
    """The library for ONNX Runtime, as `python -m plugins build` makes it; warnings are errors."""
    compiler = find_cxx()
    if compiler is None:
        pytest.skip("no C++ compiler: set CXX or install g++ to build the ONNX Runtime kernels")
    command = compile_command(compiler, ["-Werror"])
    return compilers.build_once(command, build_folder / ONNXRUNTIME_NAME)


@pytest.fixture(scope="session")
def native(native_library: Path) -> Native:
    return Native(str(native_library))
