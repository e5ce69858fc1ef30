"""Arrays out of .npz files that may be hostile: no pickle, no trust in declared sizes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.reading import check_regular
from spikehalt.reading import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_array(source: bytes | Path, name: str, limit: int, where: str) -> NDArray[Any]:
    """One array of an .npz file.

    Args:
        source: the file, or its bytes.
        name: of the array.
        limit: bytes it may take at most, header included.
        where: what to call the file in messages.

    Raises:
        DataFileError: no such array, larger than `limit`, or a damaged file.
    """
    with reading(where, DataFileError, "is not a readable .npz file"):
        if isinstance(source, Path):
            check_regular(source)
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            names = [each.removesuffix(".npy") for each in file.namelist()]
            if name not in names:
                raise ValueError(f"it holds {names[:8]}, must hold an array called {name!r}")
            with file.open(f"{name}.npy") as member:
                data = member.read(limit + 1)
        return _parse(data, name, limit)


def _parse(data: bytes, name: str, limit: int) -> NDArray[Any]:
    """An .npy file's array, whose declared shape must be what really follows the header."""
    import numpy as np

    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in headers:
        raise ValueError(f".npy version {version} is unknown")
    shape, fortran_order, dtype = headers[version](stream)
    if len(data) > limit:
        raise ValueError(f"{name}, {dtype} {list(shape)}, has more than {limit} bytes")
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"dtype {dtype} is not plain numbers")
    values = np.frombuffer(data, np.uint8, offset=stream.tell())
    count = 1
    for size in shape:
        count *= size
    if min(shape, default=1) < 0 or count * dtype.itemsize != len(values):
        raise ValueError(f"shape {shape} of {dtype} does not fit {len(values)} bytes")
    array: NDArray[Any] = values.view(dtype).reshape(shape, order="F" if fortran_order else "C")
    return array.copy()
