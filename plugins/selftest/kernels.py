"""The kernels library through ctypes: its structures, its functions, its error codes.

The structures repeat `plugins/*/*_kernel.h` field by field; a test compares their sizes and
offsets with what a compiler makes of the headers.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int32, c_int64, c_size_t, c_void_p
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


class LifParams(ctypes.Structure):
    """`SpikehaltLifParams`."""

    _fields_ = (
        ("elements", c_int64),
        ("steps", c_int32),
        ("type", c_int32),
        ("spikeType", c_int32),
        ("oneState", c_int32),
        ("softReset", c_int32),
        ("decay", c_float),
        ("threshold", c_float),
        ("vReset", c_float),
    )


class TokenHaltParams(ctypes.Structure):
    """`SpikehaltTokenHaltParams`."""

    _fields_ = (
        ("images", c_int64),
        ("tokens", c_int64),
        ("width", c_int64),
        ("type", c_int32),
        ("last", c_int32),
        ("alpha", c_float),
        ("beta", c_float),
    )


class TokenHaltTensors(ctypes.Structure):
    """`SpikehaltTokenHaltTensors`: device pointers."""

    _fields_ = (
        ("x", c_void_p),
        ("size", c_void_p),
        ("hist", c_void_p),
        ("cum", c_void_p),
        ("live", c_void_p),
        ("epsilon", c_void_p),
        ("readout", c_void_p),
        ("histNext", c_void_p),
        ("cumNext", c_void_p),
        ("liveNext", c_void_p),
    )


class TokenMergeParams(ctypes.Structure):
    """`SpikehaltTokenMergeParams`."""

    _fields_ = (
        ("images", c_int64),
        ("width", c_int64),
        ("tokens", c_int32),
        ("gamma", c_int32),
        ("type", c_int32),
        ("oneSource", c_int32),
    )


class TokenMergeTensors(ctypes.Structure):
    """`SpikehaltTokenMergeTensors`: device pointers."""

    _fields_ = (
        ("x", c_void_p),
        ("size", c_void_p),
        ("live", c_void_p),
        ("source", c_void_p),
        ("xNext", c_void_p),
        ("sizeNext", c_void_p),
        ("liveNext", c_void_p),
        ("keep", c_void_p),
        ("sourceOut", c_void_p),
        ("workspace", c_void_p),
        ("workspaceBytes", c_size_t),
    )


_FUNCTIONS: Final[dict[str, list[Any]]] = {
    "spikehaltLif": [POINTER(LifParams), *[c_void_p] * 5],
    "spikehaltTokenHalt": [POINTER(TokenHaltParams), POINTER(TokenHaltTensors), c_void_p],
    "spikehaltTokenHaltSum": [POINTER(TokenHaltParams), POINTER(TokenHaltTensors), c_void_p],
    "spikehaltTokenMerge": [POINTER(TokenMergeParams), POINTER(TokenMergeTensors), c_void_p],
    "spikehaltDeviceCount": [POINTER(c_int32)],
    "spikehaltDeviceName": [c_char_p, c_int32, POINTER(c_int32), POINTER(c_int32)],
    "spikehaltAllocate": [POINTER(c_void_p), c_size_t],
    "spikehaltFree": [c_void_p],
    "spikehaltUpload": [c_void_p, c_void_p, c_size_t],
    "spikehaltDownload": [c_void_p, c_void_p, c_size_t],
    "spikehaltCopy": [c_void_p, c_void_p, c_size_t, c_void_p],
    "spikehaltStreamCreate": [POINTER(c_void_p)],
    "spikehaltStreamDestroy": [c_void_p],
    "spikehaltStreamSynchronize": [c_void_p],
    "spikehaltCaptureBegin": [c_void_p],
    "spikehaltCaptureEnd": [c_void_p, POINTER(c_void_p)],
    "spikehaltGraphTime": [c_void_p, c_void_p, c_int32, POINTER(c_float)],
    "spikehaltGraphDestroy": [c_void_p],
}


class Kernels:
    """The functions of a kernels library; a code other than 0 becomes `KernelError`.

    Args:
        path: `libspikehalt_kernels.so`, as `python -m plugins build` makes it.

    Raises:
        LibraryError: the file cannot be loaded or lacks one of our functions.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
            for name, arguments in _FUNCTIONS.items():
                getattr(self._library, name).argtypes = arguments
            self._library.spikehaltTokenMergeWorkspace.restype = c_size_t
            self._library.spikehaltErrorString.restype = c_char_p
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

    def merge_workspace(self, params: TokenMergeParams) -> int:
        """Bytes of workspace that TokenMerge needs."""
        return int(self._library.spikehaltTokenMergeWorkspace(ctypes.byref(params)))


def type_of(dtype: npt.DTypeLike) -> int:
    """`SpikehaltType` of a numpy dtype.

    Raises:
        KeyError: the kernels have no such type.
    """
    return TYPES[np.dtype(dtype)]
