"""Writing files and folders so that a crash leaves the old one or the new one, never a mixture."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 2**20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_file(path: Path, source: bytes | Path) -> tuple[str, int]:
    """Write a file and wait until it is on the disk.

    Args:
        path: where to.
        source: the contents, or a file to copy them from.

    Returns:
        sha256 in hexadecimal, and size in bytes.
    """
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for block in _blocks(source):
            file.write(block)
            digest.update(block)
            size += len(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def _blocks(source: bytes | Path) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with open(source, "rb") as file:
        while block := file.read(_BLOCK):
            yield block


def replace_file(path: Path, source: bytes | Path) -> tuple[str, int]:
    """Like `write_file`, but a file already at `path` stays whole until the new one is."""
    temporary = _beside(path, "tmp")
    try:
        result = write_file(temporary, source)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return result


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` when the block succeeds.

    The folder that was at `target` is removed afterwards; on any failure it is left as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = _beside(target, "tmp")
    folder.mkdir()
    try:
        yield folder
        _sync_folder(folder)
        _swap_in(folder, target)
        _sync_folder(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _beside(path: Path, kind: str) -> Path:
    """A fresh hidden name in the same folder, hence on the same file system."""
    return path.parent / f".{path.name}.{kind}-{secrets.token_hex(4)}"


def _swap_in(folder: Path, target: Path) -> None:
    """Put `folder` at `target`; afterwards `folder` holds what was there, or nothing."""
    if not target.exists():
        os.rename(folder, target)
    elif not _exchange(folder, target):
        _swap_by_renames(folder, target)


def _swap_by_renames(folder: Path, target: Path) -> None:
    """For systems that cannot exchange two folders in one step."""
    aside = _beside(target, "old")
    os.rename(target, aside)
    try:
        os.rename(folder, target)
    except OSError:
        os.rename(aside, target)
        raise
    os.rename(aside, folder)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders in one step (Linux renameat2); False where that does not exist."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    result = renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE)
    return bool(result == 0)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # folders cannot be opened elsewhere
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
