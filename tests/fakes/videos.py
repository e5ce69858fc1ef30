"""Tiny videos, written by PyAV, and what can be wrong with them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

COLOURS = ((250, 0, 0), (0, 250, 0), (0, 0, 250))
SIZE = (48, 32)  # width and height
_ONE = 1 << 16  # in the display matrix of an mp4 file
QUARTER_RIGHT = (0, _ONE, 0, -_ONE, 0, 0, SIZE[1] * _ONE, 0, 1 << 30)


def write_video(path: Path, times_ms: Sequence[int] = (0, 100, 200, 300, 400, 500)) -> Path:
    """Frames that are red, green, blue, red, … in their left half, and black in the right."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_ms in enumerate(times_ms):
            pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            pixels[:, : SIZE[0] // 2] = COLOURS[number % 3]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 1000), time_ms
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turned(video: Path) -> Path:
    """The same mp4 file with a display matrix that turns it by 90° to the right, as phones do."""
    data = bytearray(video.read_bytes())
    matrix = data.index(b"tkhd") + 44  # behind version, times, ids, duration, layer and volume
    data[matrix : matrix + 36] = struct.pack(">9i", *QUARTER_RIGHT)
    return _beside(video, "turned", bytes(data))


def unknown_codec(video: Path) -> Path:
    """The same Matroska file, said to be encoded as nothing that exists."""
    return _beside(
        video, "unknown", video.read_bytes().replace(b"V_MPEG4/ISO/ASP", b"V_NONE1/ISO/ASP")
    )


def cut(video: Path, share: float) -> Path:
    """The first share of the file's bytes."""
    data = video.read_bytes()
    return _beside(video, "cut", data[: int(share * len(data))])


def _beside(video: Path, name: str, data: bytes) -> Path:
    path = video.with_stem(f"{video.stem}-{name}")
    path.write_bytes(data)
    return path
