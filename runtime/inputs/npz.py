"""Arrays out of .npz files that may be hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from runtime.errors import InputError
from spikehalt.datasets import arrays
from spikehalt.datasets.errors import raised_as


def read_array(source: bytes | Path, name: str, limit: int, where: str) -> NDArray[Any]:
    """`spikehalt.datasets.arrays.read_array`.

    Raises:
        InputError: no such array, larger than `limit`, or a damaged file.
    """
    with raised_as(InputError):
        return arrays.read_array(source, name, limit, where)
