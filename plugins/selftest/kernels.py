"""The kernels library through ctypes: its functions, element types and error codes."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_char_p, c_float, c_int32, c_size_t, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plugins.errors import KernelError, LibraryError

FLOAT32, FLOAT16, INT8 = 0, 1, 2

TYPES: Final = {
    np.dtype(np.float32): FLOAT32,
    np.dtype(np.float16): FLOAT16,
    np.dtype(np.int8): INT8,
}
"""`SpikehaltType` of a numpy dtype."""


@dataclass(frozen=True)
class Signature:
    """A C function of the library.

    Attributes:
        arguments: ctypes types.
        result: what it returns; by default an error code.
    """

    arguments: Sequence[Any]
    result: Any = c_int32


_FUNCTIONS: Final = {
    "spikehaltErrorString": Signature([c_int32], result=c_char_p),
    "spikehaltDeviceCount": Signature([POINTER(c_int32)]),
    "spikehaltDeviceName": Signature([c_char_p, c_int32, POINTER(c_int32), POINTER(c_int32)]),
    "spikehaltAllocate": Signature([POINTER(c_void_p), c_size_t]),
    "spikehaltFree": Signature([c_void_p]),
    "spikehaltUpload": Signature([c_void_p, c_void_p, c_size_t]),
    "spikehaltDownload": Signature([c_void_p, c_void_p, c_size_t]),
    "spikehaltCopy": Signature([c_void_p, c_void_p, c_size_t, c_void_p]),
    "spikehaltStreamCreate": Signature([POINTER(c_void_p)]),
    "spikehaltStreamDestroy": Signature([c_void_p]),
    "spikehaltStreamSynchronize": Signature([c_void_p]),
    "spikehaltCaptureBegin": Signature([c_void_p]),
    "spikehaltCaptureEnd": Signature([c_void_p, POINTER(c_void_p)]),
    "spikehaltGraphTime": Signature([c_void_p, c_void_p, c_int32, POINTER(c_float)]),
    "spikehaltGraphDestroy": Signature([c_void_p]),
}
"""What `plugins/cuda/device_api.h` declares."""


class Kernels:
    """The functions of a kernels library; a code other than 0 becomes `KernelError`.

    Args:
        path: `libspikehalt_kernels.so`, as `python -m plugins build` makes it.
        functions: the functions of the ops, by name, besides those of the device.

    Raises:
        LibraryError: the file cannot be loaded or lacks one of our functions.
    """

    def __init__(self, path: Path, functions: Mapping[str, Signature]) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
            for name, signature in {**_FUNCTIONS, **functions}.items():
                function = getattr(self._library, name)
                function.argtypes, function.restype = signature.arguments, signature.result
        except (OSError, AttributeError) as error:
            raise LibraryError(
                f"{path} is no kernels library of this version ({error}). "
                "Make one with: python -m plugins build"
            ) from error

    def call(self, function: str, *arguments: object) -> None:
        """Call `function`; raise `KernelError` with its sentence when it fails."""
        code = int(getattr(self._library, function)(*arguments))
        if code != 0:
            raise KernelError(f"{function} failed with code {code}: {self.error_string(code)}.")

    def error_string(self, code: int) -> str:
        """The sentence for an error code."""
        return bytes(self._library.spikehaltErrorString(c_int32(code))).decode()

    def size(self, function: str, *arguments: object) -> int:
        """Call a function that returns a number of bytes."""
        return int(getattr(self._library, function)(*arguments))


def type_of(dtype: npt.DTypeLike) -> int:
    """`SpikehaltType` of a numpy dtype.

    Raises:
        KeyError: the kernels have no such type.
    """
    return TYPES[np.dtype(dtype)]
