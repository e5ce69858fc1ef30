"""Bytes of a data set's files: regular files alone, bounded before and after unpacking."""

from __future__ import annotations

import os
import stat
import zipfile
from functools import lru_cache
from pathlib import Path

from spikehalt.datasets.errors import DataFileError
from spikehalt.reading import reading, refuse_lfs_pointer

MAX_FILE_BYTES = 256 * 2**20

_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO that takes the file's place must not make us wait
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def read_file(path: str | Path, limit: int = MAX_FILE_BYTES, *, pipe: bool = False) -> bytes:
    """The bytes of a regular file.

    Args:
        path: of the file.
        limit: bytes it may have.
        pipe: whether it may be a pipe too, such as `<(pass show key)`; one that nobody has opened
            for writing is empty.

    Raises:
        DataFileError: it cannot be read, is a device, pipe or folder, has more than `limit` bytes,
            or is a Git LFS pointer in place of the file.
    """
    with reading(path, DataFileError):
        check_regular(path, pipe=pipe)
        with open(os.open(path, _OPEN_FLAGS), "rb") as file:
            _refuse_special(path, os.fstat(file.fileno()).st_mode, pipe)
            if pipe:
                os.set_blocking(file.fileno(), True)
            data = file.read(limit + 1)
    return _checked(data, str(path), limit)


def check_regular(path: str | Path, *, pipe: bool = False) -> None:
    """Refuse what is no regular file, without opening it: opening a device may do something.

    Args:
        path: of the file.
        pipe: whether it may be a pipe.

    Raises:
        DataFileError: it is a device, pipe, socket or folder.
        OSError: it is not there.
    """
    _refuse_special(path, os.stat(path).st_mode, pipe)


def _refuse_special(path: str | Path, mode: int, pipe: bool) -> None:
    if not (stat.S_ISREG(mode) or (pipe and stat.S_ISFIFO(mode))):
        raise DataFileError(f"{path} cannot be read: it is not a regular file")


def read_member(archive: str | Path, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a member of a zip; from several threads and processes at will.

    Args:
        archive: the zip.
        name: of the member, with "/" between folders.
        limit: bytes it may have once unpacked.

    Raises:
        DataFileError: the member or the zip cannot be read, or is too large.
    """
    where = f"{Path(archive).as_posix()}/{name}"
    with reading(where, DataFileError):
        opened = open_zip(archive)
        known = opened.NameToInfo
        info = known.get(name) or known[name.replace("/", "\\")]  # as some Windows programs write
        if info.file_size > limit:
            raise DataFileError(_too_large(where, info.file_size, limit))
        with opened.open(info) as member:
            data = member.read(limit + 1)
    return _checked(data, where, limit)


def open_zip(path: str | Path) -> zipfile.ZipFile:
    """A zip, whose directory is read once: that takes longer than a picture of thousands.

    A file that was replaced, or a forked process, which would share the position in the file, opens
    it anew.

    Raises:
        DataFileError: it is not a readable zip.
    """
    with reading(path, DataFileError, "is neither a folder nor a readable zip"):
        check_regular(path)
        status = os.stat(path)
        return _opened(os.fspath(path), status.st_mtime_ns, status.st_size, os.getpid())


@lru_cache(maxsize=2)
def _opened(path: str, modified_ns: int, size: int, process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _checked(data: bytes, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise DataFileError(_too_large(name, len(data), limit))
    return refuse_lfs_pointer(name, data, DataFileError)


def _too_large(name: str, size: int, limit: int) -> str:
    return f"{name} cannot be read: it has {size} bytes or more, the limit is {limit}"
