"""Arrays out of .npz files that may be hostile: no pickle, no trust in declared sizes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_array(source: bytes | Path, name: str, limit: int, where: str) -> NDArray[Any]:
    """One array of an .npz file.

    Args:
        source: the file, or its bytes.
        name: of the array.
        limit: bytes it may take at most, header included.
        where: what to call the file in messages.

    Raises:
        InputError: no such array, larger than `limit`, or a damaged file.
    """
    try:
        stored = io.BytesIO(source) if isinstance(source, bytes) else source
        with zipfile.ZipFile(stored) as archive, archive.open(f"{name}.npy") as member:
            data = member.read(limit + 1)
        if len(data) > limit:
            raise ValueError(f"{name} has more than {limit} bytes")
        return _parse(data)
    except Exception as error:  # zipfile, zlib and numpy raise many kinds on damaged files
        raise InputError(f"{where} is not an .npz file with an array {name!r}: {error}") from error


def _parse(data: bytes) -> NDArray[Any]:
    """An .npy file's array, whose declared shape must be what really follows the header."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f".npy version {version} is unknown")
    shape, fortran_order, dtype = _HEADERS[version](stream)
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"dtype {dtype} is not plain numbers")
    values = np.frombuffer(data, np.uint8, offset=stream.tell())
    count = 1
    for size in shape:
        count *= size
    if min(shape, default=1) < 0 or count * dtype.itemsize != len(values):
        raise ValueError(f"shape {shape} of {dtype} does not fit {len(values)} bytes")
    array = values.view(dtype).reshape(shape, order="F" if fortran_order else "C")
    return array.copy()
