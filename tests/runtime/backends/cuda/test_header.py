"""What is declared of CUDA's driver, against its header; needs nvcc, for the header."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import pytest

from plugins.building.toolchain import find_nvcc
from runtime.backends.cuda import driver as cuda_driver

NAMES = {
    "CAPABILITY_MAJOR": "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR",
    "CAPABILITY_MINOR": "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR",
    "OUT_OF_MEMORY": "CUDA_ERROR_OUT_OF_MEMORY",
    "THREAD_LOCAL_CAPTURE": "CU_STREAM_CAPTURE_MODE_THREAD_LOCAL",
}
LOST = (
    "CUDA_ERROR_DEINITIALIZED", "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA_ERROR_ECC_UNCORRECTABLE",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE", "CUDA_ERROR_CONTAINED", "CUDA_ERROR_ILLEGAL_ADDRESS",
    "CUDA_ERROR_LAUNCH_TIMEOUT", "CUDA_ERROR_ASSERT", "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_MISALIGNED_ADDRESS", "CUDA_ERROR_INVALID_ADDRESS_SPACE", "CUDA_ERROR_INVALID_PC",
    "CUDA_ERROR_LAUNCH_FAILED", "CUDA_ERROR_TENSOR_MEMORY_LEAK",
)  # fmt: skip
# A parameter by its size, and whether it is an address.
CHECK = """
#include <cuda.h>
#include <type_traits>
template <typename T> constexpr int kind() {
    return std::is_pointer<T>::value ? -1 : int(sizeof(T));
}
template <typename F> struct Signature;
template <typename... T> struct Signature<CUresult (*)(T...)> {
    template <int... K> static constexpr bool are() {
        int const found[] = {kind<T>()..., 0}, wanted[] = {K..., 0};
        if (sizeof found != sizeof wanted) return false;
        for (unsigned i = 0; i < sizeof found / sizeof *found; ++i)
            if (found[i] != wanted[i]) return false;
        return true;
    }
};
"""


def kind(declared: Any) -> int:
    """As CHECK counts it."""
    pointer = declared in (ctypes.c_void_p, ctypes.c_char_p) or hasattr(declared, "contents")
    return -1 if pointer else ctypes.sizeof(declared)


def test_functions_and_constants_are_those_of_the_header(tmp_path: Path) -> None:
    nvcc = find_nvcc()
    if nvcc is None:
        pytest.skip("no nvcc: install the CUDA toolkit or set CUDACXX to read its header")
    lines = [CHECK]
    for function, parameters in cuda_driver._FUNCTIONS.items():
        kinds = ", ".join(str(kind(each)) for each in parameters)
        lines.append(
            f'static_assert(Signature<decltype(&{function})>::are<{kinds}>(), "{function}");'
        )
    for name, theirs in NAMES.items():
        lines.append(f'static_assert({theirs} == {getattr(cuda_driver, name)}, "{name}");')
    for code, theirs in zip(sorted(cuda_driver.LOST), LOST, strict=True):
        lines.append(f'static_assert({theirs} == {code}, "LOST");')
    source = tmp_path / "check.cpp"
    source.write_text("\n".join(lines) + "\n")
    command = [nvcc, "-x", "c++", "-std=c++17", "-c", source, "-o", tmp_path / "check.o"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
