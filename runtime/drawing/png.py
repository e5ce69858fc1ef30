"""Writing small PNG files: all a report needs, without an imaging library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # channels -> grey, RGB, RGBA


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file.

    Args:
        pixels: uint8 [H, W, C], C 1 (grey), 3 (RGB) or 4 (RGBA).
    """
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    rows = pixels.reshape(height, width * channels)
    unfiltered = np.pad(rows, ((0, 0), (1, 0)))  # filter type 0 before every row
    data = zlib.compress(unfiltered.tobytes(), 9)
    parts = [_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """The same as a data: URI for an `<img>`."""
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
