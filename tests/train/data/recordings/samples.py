"""Recordings written byte by byte, as the formats' descriptions say."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

# t in µs, x, y, polarity
EVENTS = [(1000, 3, 100, 1), (1000, 127, 0, 0), (1500, 64, 65, 1), (4_000_000, 0, 127, 0)]


def write_aedat2(path: Path, *, chip: str = "DVS128", cut: int = 0) -> Path:
    """EVENTS, with an event of the synchronisation input between them."""
    header = f"#!AER-DAT2.0\r\n# AEChip: ch.unizh.ini.jaer.chip.retina.{chip}\r\n".encode()
    words = [(x << 1 | y << 8 | p, t) for t, x, y, p in EVENTS]
    words.insert(1, (1 << 15, 1000))
    body = b"".join(struct.pack(">II", *word) for word in words)
    path.write_bytes(header + body[: len(body) - cut])
    return path


def write_aedat3(path: Path, *, cut: int = 0) -> Path:
    """EVENTS in one packet of polarity events, after one of another type."""
    header = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
    special = struct.pack("<hhiiiiii", 0, 0, 8, 4, 0, 1, 1, 1) + bytes(8)
    packet = struct.pack("<hhiiiiii", 1, 0, 8, 4, 0, 4, 4, 4)
    words = [(1 | p << 1 | y << 2 | x << 17, t) for t, x, y, p in EVENTS]
    body = special + packet + b"".join(struct.pack("<Ii", *word) for word in words)
    path.write_bytes(header + body[: len(body) - cut])
    return path


def write_dat(path: Path) -> Path:
    """EVENTS of a sensor of 304 x 240 pixels."""
    words = [(t, x | y << 14 | p << 28) for t, x, y, p in EVENTS]
    body = b"".join(struct.pack("<II", *word) for word in words)
    path.write_bytes(b"% Height 240\n% Width 304\n" + bytes([0, 8]) + body)
    return path


def write_evt2(path: Path) -> Path:
    """EVENTS, each behind the upper bits of its time."""
    words = []
    for t, x, y, p in EVENTS:
        words += [0x8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | x << 11 | y]
    path.write_bytes(b"% evt 2.0\n% geometry 640x480\n% end\n" + np.array(words, "<u4").tobytes())
    return path


def write_evt3(path: Path) -> Path:
    """EVENTS one by one, then a vector of 12 and one of 8 columns in row 9."""
    words = []
    for t, x, y, p in EVENTS:
        words += [0x8 << 12 | t >> 12 & 0xFFF, 0x6 << 12 | t & 0xFFF, y, 0x2 << 12 | p << 11 | x]
    words += [9, 0x3 << 12 | 1 << 11 | 100, 0x4 << 12 | 0b100000000001, 0x5 << 12 | 0b10]
    header = b"% format EVT3;height=480;width=640\n% end\n"
    path.write_bytes(header + np.array(words, "<u2").tobytes())
    return path


def write_atis(path: Path) -> Path:
    """Two events, the second after an overflow of 13 bits."""
    events = [(100, 5, 6, 1), (200, 0, 240, 0), (300, 33, 33, 0)]
    rows = [[x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255] for t, x, y, p in events]
    path.write_bytes(np.array(rows, np.uint8).tobytes())
    return path
