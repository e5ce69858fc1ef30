"""TensorRT's real Python interface, with TensorRT-RTX's parser and builder behind it.

TensorRT itself needs a GPU for everything; its bindings (`tensorrt-cu13-bindings`) need only its
libraries' functions, and TensorRT-RTX's libraries have the same C++ interfaces. So what the project
asks of TensorRT is asked in its own types and names, and answered by NVIDIA's parser and builder.
It is not TensorRT: the engines are TensorRT-RTX's, and plugin layers end the process.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import ModuleType

import pytest

from tests.plugins import compilers

SOURCE = Path(__file__).parent / "nvinfer.cpp"
LIBRARIES = ("libnvinfer", "libnvinfer_plugin", "libnvonnxparser")


def load_bindings(build_folder: Path) -> ModuleType:
    """The module `tensorrt_bindings`; skips the test where a part of it is missing."""
    pytest.importorskip(
        "tensorrt_rtx", reason="TensorRT-RTX is not installed", exc_type=ImportError
    )
    if compilers.cxx() is None:
        pytest.skip("no C++ compiler: set CXX or install g++ to link TensorRT's bindings")
    for name in LIBRARIES:
        file = f"{name}.so.11"
        arguments = ["-shared", SOURCE, f"-Wl,-soname,{file}", "-ldl"]
        ctypes.CDLL(str(compilers.compile_cxx(arguments, build_folder / file)), ctypes.RTLD_GLOBAL)
    return pytest.importorskip(
        "tensorrt_bindings", reason="tensorrt-cu13-bindings is not installed", exc_type=ImportError
    )
