"""Bytes of a data set's files: regular files alone, bounded before and after unpacking."""

from __future__ import annotations

import os
import stat
import zipfile
from functools import lru_cache
from pathlib import Path

from spikehalt.datasets.errors import DataFileError

MAX_FILE_BYTES = 256 * 2**20

_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO that takes the file's place must not make us wait
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def read_file(path: str | Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a regular file.

    Raises:
        DataFileError: it cannot be read, is a device, pipe or folder, has more than `limit` bytes,
            or is a Git LFS pointer in place of the file.
    """
    try:
        check_regular(path)
        with open(os.open(path, _OPEN_FLAGS), "rb") as file:
            _refuse_special(path, os.fstat(file.fileno()).st_mode)
            data = file.read(limit + 1)
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror or error}") from error
    return _checked(data, str(path), limit)


def check_regular(path: str | Path) -> None:
    """Refuse what is no regular file, without opening it: opening a device may do something.

    Raises:
        DataFileError: it is a device, pipe, socket or folder.
        OSError: it is not there.
    """
    _refuse_special(path, os.stat(path).st_mode)


def _refuse_special(path: str | Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
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
    try:
        opened = open_zip(archive)
        known = opened.NameToInfo
        info = known.get(name) or known[name.replace("/", "\\")]  # as some Windows programs write
        if info.file_size > limit:
            raise DataFileError(_too_large(where, info.file_size, limit))
        with opened.open(info) as member:
            data = member.read(limit + 1)
    except DataFileError:
        raise
    except Exception as error:  # zipfile and its decompressors raise many kinds on damaged files
        raise DataFileError(f"{where} cannot be read: {error}") from error
    return _checked(data, where, limit)


def open_zip(path: str | Path) -> zipfile.ZipFile:
    """A zip, whose directory is read once: that takes longer than a picture of thousands.

    A file that was replaced, or a forked process, which would share the position in the file, opens
    it anew.

    Raises:
        DataFileError: it is not a readable zip.
    """
    try:
        check_regular(path)
        status = os.stat(path)
        return _opened(os.fspath(path), status.st_mtime_ns, status.st_size, os.getpid())
    except DataFileError:
        raise
    except Exception as error:  # as in `read_member`
        pointer = _is_pointer(path)
        reason = "it is a Git LFS pointer, fetch it with `git lfs pull`" if pointer else error
        raise DataFileError(f"{path} is neither a folder nor a readable zip: {reason}") from error


@lru_cache(maxsize=2)
def _opened(path: str, modified_ns: int, size: int, process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _is_pointer(path: str | Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_LFS_POINTER)) == _LFS_POINTER
    except OSError:
        return False


def _checked(data: bytes, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise DataFileError(_too_large(name, len(data), limit))
    if data.startswith(_LFS_POINTER):
        raise DataFileError(f"{name} is a Git LFS pointer: fetch the file with `git lfs pull`")
    return data


def _too_large(name: str, size: int, limit: int) -> str:
    return f"{name} cannot be read: it has {size} bytes or more, the limit is {limit}"
