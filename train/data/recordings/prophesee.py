"""Prophesee's files: DAT, and RAW in the encodings EVT 2.0 and EVT 3.0.

Read here, since the libraries that decode them are under the GPL or LGPL.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from train.data.recordings.events import Events, make_events, unwrapped
from train.errors import DataError

_HIGH_US = 1 << 24  # an EVT 3.0 timestamp has 24 bits
_VECTORS = ((0x4, 12), (0x5, 8))


def header_and_body(content: bytes) -> tuple[str, bytes]:
    """Lines that begin with `%` as text, and what follows."""
    at = 0
    while content[at : at + 1] == b"%":
        end = content.find(b"\n", at) + 1 or len(content)
        last = content[at:end].strip() == b"% end"
        at = end
        if last:
            break
    return content[:at].decode("ascii", "replace"), content[at:]


def sensor_size(header: str) -> tuple[int, int] | None:
    """Height and width as a header tells them, or None."""
    if found := re.search(r"geometry (\d+)x(\d+)", header):
        return int(found[2]), int(found[1])
    height = re.search(r"height[ =](\d+)", header, re.IGNORECASE)
    width = re.search(r"width[ =](\d+)", header, re.IGNORECASE)
    return (int(height[1]), int(width[1])) if height and width else None


def read_dat(path: Path) -> Events:
    """DAT: event type and size in two bytes, then (timestamp, address) of 32 bits each.

    x = bits 0-13 of the address, y = bits 14-27, polarity = bit 28.

    Raises:
        DataError: its events have another size, or it is cut off.
    """
    header, body = header_and_body(path.read_bytes())
    if len(body) < 2 or body[1] != 8 or (len(body) - 2) % 8:
        raise DataError(f"{path} is not a DAT file of events of 8 bytes, or is cut off")
    time, address = np.frombuffer(body, "<u4", offset=2).reshape(-1, 2).astype(np.int64).T
    columns = (time, address & 0x3FFF, (address >> 14) & 0x3FFF, (address >> 28) & 1)
    return make_events(path.name, columns, sensor_size(header))


def read_raw(path: Path) -> Events:
    """RAW in EVT 2.0 or EVT 3.0, as its header says.

    Raises:
        DataError: of another encoding, or cut off.
    """
    header, body = header_and_body(path.read_bytes())
    for version, read, word in (("2", read_evt2, 4), ("3", read_evt3, 2)):
        if re.search(rf"evt {version}\.0|format EVT{version}\b", header):
            if len(body) % word:
                raise DataError(f"{path} is cut off within a word of {word} bytes")
            return make_events(path.name, read(body), sensor_size(header))
    raise DataError(f"{path}: its header names neither EVT 2.0 nor EVT 3.0")


Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def read_evt2(body: bytes) -> Columns:
    """EVT 2.0: words of 32 bits, of type 0 (darker), 1 (brighter) or 8 (upper 28 bits of time).

    Returns:
        t, x, y, p.
    """
    words = np.frombuffer(body, "<u4").astype(np.int64)
    kind = words >> 28
    high = _latest(kind == 0x8, words & 0x0FFFFFFF)
    event = (kind <= 1) & (high >= 0)  # nothing is known of the time before the first upper bits
    words, kind, high = words[event], kind[event], high[event]
    time = unwrapped(high << 6, 1 << 34) | ((words >> 22) & 0x3F)
    return time, (words >> 11) & 0x7FF, words & 0x7FF, kind


def read_evt3(body: bytes) -> Columns:
    """EVT 3.0: words of 16 bits that each change a state; x words and vectors are events.

    Returns:
        t, x, y, p.
    """
    words = np.frombuffer(body, "<u2").astype(np.int64)
    kind, value = words >> 12, words & 0x0FFF
    high = _latest(kind == 0x8, value)
    low = _latest((kind == 0x6) | (kind == 0x8), np.where(kind == 0x6, value, 0))
    row = _latest(kind == 0x0, value & 0x7FF)
    known = (high >= 0) & (row >= 0)
    time = unwrapped(high << 12, _HIGH_US) + np.maximum(low, 0)
    parts = [_single(kind, value, time, row, known)]
    base, polarity = _vector_base(kind, value)
    parts += [
        _vector(bits, (kind == code) & known & (base >= 0), value, time, base, row, polarity)
        for code, bits in _VECTORS
    ]
    t, x, y, p = (np.concatenate(column) for column in zip(*parts, strict=True))
    return t, x, y, p


def _latest(where: np.ndarray, value: np.ndarray) -> np.ndarray:
    """At each word the value of the latest word for which `where` holds, -1 before the first."""
    index = np.maximum.accumulate(np.where(where, np.arange(len(where)), -1))
    return np.where(index >= 0, value[index], -1)


def _single(
    kind: np.ndarray, value: np.ndarray, time: np.ndarray, row: np.ndarray, known: np.ndarray
) -> Columns:
    """Events of words that give one column."""
    here = (kind == 0x2) & known
    return time[here], value[here] & 0x7FF, row[here], value[here] >> 11


def _vector_base(kind: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column of each vector's first bit, which earlier vectors moved on, and its polarity."""
    width = sum(bits * (kind == code) for code, bits in _VECTORS)
    before = np.cumsum(width) - width
    start = kind == 0x3
    column = _latest(start, value & 0x7FF)
    moved = before - _latest(start, before)
    return np.where(column >= 0, column + moved, -1), _latest(start, value >> 11)


def _vector(
    bits: int,
    here: np.ndarray,
    value: np.ndarray,
    time: np.ndarray,
    base: np.ndarray,
    row: np.ndarray,
    polarity: np.ndarray,
) -> Columns:
    """Events of vectors of `bits` columns: one for every bit that is set."""
    at = np.flatnonzero(here)
    word, bit = np.nonzero((value[at, None] >> np.arange(bits)) & 1)
    source = at[word]
    return time[source], base[source] + bit, row[source], polarity[source]
