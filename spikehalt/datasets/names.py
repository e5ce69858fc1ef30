"""What is an image, what is an event file, and what every listing skips."""

from __future__ import annotations

from pathlib import PurePosixPath

# Pillow's names of the formats that are read; it knows others, of which some start programs (EPS).
SUFFIXES_OF_FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "AVIF": (".avif", ".avifs"),
}
IMAGE_FORMATS: tuple[str, ...] = tuple(SUFFIXES_OF_FORMATS)
IMAGE_SUFFIXES = frozenset(s for suffixes in SUFFIXES_OF_FORMATS.values() for s in suffixes)
FRAME_SUFFIXES = frozenset({".npz"})

# What systems leave beside people's files; hidden names, which begin with a dot, come on top.
_JUNK = frozenset(
    {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information"}
)


def is_skipped(name: str) -> bool:
    """Whether a file or folder of this name is no part of a data set: hidden, or a system's own."""
    return name.startswith(".") or name.lower() in _JUNK


def suffix_of(name: str) -> str:
    """The lower-case ending of a path with "/", dot included; empty if it has none."""
    return PurePosixPath(name).suffix.lower()
