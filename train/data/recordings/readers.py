"""Which reader a recording needs, by its ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spikehalt.datasets.arrays import read_array
from spikehalt.datasets.errors import DataFileError
from spikehalt.extras import require_extra
from spikehalt.reading import reading
from train.data.recordings.aedat import read_aedat, read_aedat4
from train.data.recordings.events import MAX_EVENTS, Events, make_events
from train.data.recordings.prophesee import read_dat, read_raw
from train.errors import DataError

_ATIS_OVERFLOW_ROW, _ATIS_OVERFLOW_US = 240, 1 << 13
_NAMES = ("t", "x", "y", "p")


def read_atis(path: Path) -> Events:
    """N-MNIST's and N-Caltech101's `.bin`: 40 bits an event, x 8, y 8, polarity 1, time 23.

    An event in row 240 is none: it says that the time overflowed 13 bits.

    Raises:
        DataError: it is cut off within an event.
    """
    content = np.fromfile(path, np.uint8)
    if len(content) % 5:
        raise DataError(f"{path} is cut off: {len(content)} bytes, not a multiple of 5")
    x, y, a, b, c = content.reshape(-1, 5).astype(np.int64).T
    time = ((a & 0x7F) << 16) | (b << 8) | c
    overflow = y == _ATIS_OVERFLOW_ROW
    time = time + _ATIS_OVERFLOW_US * np.cumsum(overflow)
    keep = ~overflow
    return make_events(path.name, (time[keep], x[keep], y[keep], a[keep] >> 7))


def read_npz(path: Path) -> Events:
    """SpikingJelly's event files: an `.npz` with arrays t, x, y and p.

    Raises:
        DataError: unreadable, or without them; frames are read without conversion.
    """
    try:
        t, x, y, p = (read_array(path, name, 8 * MAX_EVENTS, str(path)) for name in _NAMES)
    except DataFileError as error:
        raise DataError(
            f"{error}; a recording needs arrays t, x, y and p, and frames are read without "
            "conversion"
        ) from None
    return make_events(path.name, (t, x, y, p))


def read_hdf5(path: Path) -> Events:
    """HDF5 by h5py: t, x, y and p as data sets or as fields, at the top or in `events` or `CD`.

    Raises:
        DataError: the file holds no events in such a layout.
        MissingExtraError: h5py is not installed.
    """
    h5py = require_extra("h5py", "events", f"reading {path.name}")
    with reading(path, DataError, "is not a readable HDF5 file"), h5py.File(path) as file:
        group: Any = file
        for name in ("CD", "events"):
            group = group.get(name, group)
        fields = group.dtype.names if hasattr(group, "dtype") else group.keys()
        if not set(_NAMES) <= set(fields or ()):
            raise DataError(f"{path} holds {sorted(fields or ())}, needs t, x, y and p")
        t, x, y, p = (_column(group[name]) for name in _NAMES)
    return make_events(path.name, (t, x, y, p))


def _column(stored: Any) -> np.ndarray:
    if stored.size > MAX_EVENTS:
        raise ValueError(f"it declares {stored.size} events, the limit is {MAX_EVENTS}")
    return np.asarray(stored[:])


_READERS: dict[str, Callable[[Path], Events]] = {
    ".aedat": read_aedat,
    ".aedat4": read_aedat4,
    ".bin": read_atis,
    ".dat": read_dat,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".npz": read_npz,
    ".raw": read_raw,
}
SUFFIXES = tuple(_READERS)


def read_events(path: str | Path) -> Events:
    """The events of a recording.

    Raises:
        DataError: nothing is there, its ending is not known, or it cannot be read.
    """
    path = Path(path)
    with reading(path, DataError):
        there = path.is_file()
    if not there:
        raise DataError(f"{path} does not exist, or is no file")
    if path.suffix.lower() not in _READERS:
        raise DataError(f"{path} ends with {path.suffix!r}; recordings end with {SUFFIXES}")
    with reading(path, DataError, "is not a readable recording"):
        return _READERS[path.suffix.lower()](path)
