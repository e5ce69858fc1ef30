"""Small pictures as files of many kinds."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

RAMP = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))  # [32, 32], dark to bright


def saved(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    """An array or a Pillow image as a file of one format."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def white_is_zero(pixels: np.ndarray) -> bytes:
    """A 16-bit TIFF, as scanners write them, whose zero is white."""
    data = bytearray(saved(pixels, "TIFF"))
    entry = (262).to_bytes(2, "little") + (3).to_bytes(2, "little")  # PhotometricInterpretation
    at = data.index(entry) + 8
    assert data[at] == 1
    data[at] = 0
    return bytes(data)
