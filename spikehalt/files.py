"""Writing files and folders so that a crash leaves the old one or the new one, never a mixture.

What is written stands under a hidden temporary name first, and is locked while its writer lives:
the next writer of the same name removes what killed writers left. What a user names may be
something else than a regular file: links are followed and stay links, and devices, FIFOs and
sockets are written into, never replaced.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from spikehalt.errors import OutputError
from spikehalt.reading import name_of, reason

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
_CAN_LOCK = fcntl is not None

PathLike = str | os.PathLike[str]
_BLOCK = 2**20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_TEMPORARY = re.compile(r"\.(tmp|old)-[0-9a-f]{8}$")
_LONGEST_NAME = 200  # bytes; most file systems take 255, of which something else needs a part
_LEFTOVER_S = 24 * 3600.0  # where files cannot be locked, age alone says that a writer is gone


def write_file(path: Path, source: bytes | Path) -> tuple[str, int]:
    """Write a file and wait until it is on the disk.

    Args:
        path: where to; a device, FIFO or socket takes the bytes as they come.
        source: the contents, or a file to copy them from.

    Returns:
        sha256 in hexadecimal, and size in bytes.

    Raises:
        OSError: it cannot be written.
    """
    digest, size = hashlib.sha256(), 0
    with _open_for_writing(path) as file:
        for block in _blocks(source):
            file.write(block)
            digest.update(block)
            size += len(block)
        file.flush()
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fsync(file.fileno())
    return digest.hexdigest(), size


def _open_for_writing(path: Path):  # type: ignore[no-untyped-def]
    """A FIFO that nobody reads is an error, not a wait."""
    if _is_regular_or_absent(path):
        return open(path, "wb")
    return os.fdopen(open_waiting_for_nobody(path, os.O_WRONLY), "wb")


def open_waiting_for_nobody(path: PathLike, flags: int) -> int:
    """An opener for `open`: a FIFO that has nobody at its other end is an error, not a wait."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    if hasattr(os, "set_blocking"):
        os.set_blocking(descriptor, True)
    return descriptor


def _blocks(source: bytes | Path) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with open(source, "rb") as file:
        while block := file.read(_BLOCK):
            yield block


def replace_file(path: Path, source: bytes | Path) -> tuple[str, int]:
    """Like `write_file`, but a file already at `path` stays whole until the new one is."""
    path = Path(os.path.realpath(path))
    if not _is_regular_or_absent(path):
        return write_file(path, source)
    with _held(path, make_folder=False) as temporary:
        result = write_file(temporary, source)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    return result


def put_file(path: Path, content: bytes | str, what: str) -> None:
    """`replace_file`, folders above it included, whose refusals are told in a sentence.

    Args:
        path: where to.
        content: text is written as UTF-8, with the line ends that it has.
        what: the file is, for the message.

    Raises:
        OutputError: the disk is full or gone, or a right is missing; what was there is intact.
    """
    path = Path(path)
    make_folder(path.parent)
    with writing(f"{what} {name_of(path)}"):
        replace_file(path, content if isinstance(content, bytes) else content.encode())


@contextlib.contextmanager
def writing(place: PathLike) -> Iterator[None]:
    """Goes around code that writes one file or folder: what the system refuses names it.

    Raises:
        OutputError: in place of every OSError; one of a full disk names no file by itself.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{name_of(place)} cannot be written: {reason(error)}") from error


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` when the block succeeds.

    The folder that was at `target` is removed afterwards; on any failure it is left as it was. A
    link to a folder stays a link.

    Raises:
        NotADirectoryError: something else than a folder is there.
    """
    target = Path(os.path.realpath(target))
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _held(target, make_folder=True) as folder:
        yield folder
        _sync_folder(folder)
        _swap_in(folder, target)
        _sync_folder(target.parent)


def _is_regular_or_absent(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True


@contextlib.contextmanager
def _held(path: Path, *, make_folder: bool) -> Iterator[Path]:
    """A fresh hidden name beside `path`, locked until the block ends, and removed then."""
    with _lock(path.parent):
        _sweep(path)
        temporary = _beside(path, "tmp")
        temporary.mkdir() if make_folder else temporary.touch()
        holder = os.open(temporary, os.O_RDONLY)
        _try_lock(holder)
    try:
        yield temporary
    finally:
        _remove(temporary)
        os.close(holder)


def _beside(path: Path, kind: str) -> Path:
    """A fresh hidden name in the same folder, hence on the same file system."""
    return path.parent / f"{_hidden(path)}.{kind}-{secrets.token_hex(4)}"


def _hidden(path: Path) -> str:
    """How temporary names begin; a name as long as may be leaves room for their ends."""
    return f".{short_name(path.name)}"


def short_name(name: str) -> str:
    """The beginning of a file's name that leaves room for more, not cut inside of a letter."""
    return name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")


def _sweep(path: Path) -> None:
    """Remove what killed writers of `path` left."""
    for name in os.listdir(path.parent):
        ours = _TEMPORARY.sub("", name) == _hidden(path) and _TEMPORARY.search(name)
        if ours and _is_left(path.parent / name):
            _remove(path.parent / name)


def _is_left(temporary: Path) -> bool:
    """Whether no writer holds it any more."""
    try:
        holder = os.open(temporary, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # gone, or not ours to touch
        return False
    try:
        locked = _try_lock(holder)
        old = time.time() - os.fstat(holder).st_mtime > _LEFTOVER_S
        return old if locked is None else locked
    finally:
        os.close(holder)


def _try_lock(descriptor: int) -> bool | None:
    """Whether the lock was free and is ours now; None where files cannot be locked."""
    if not _CAN_LOCK:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # file systems without locks
        return None
    return True


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Alone among writers of a folder, where folders can be locked; held for a moment only.

    A temporary folder has one writer, who holds its lock already.
    """
    if not _CAN_LOCK or _TEMPORARY.search(folder.name):
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _swap_in(folder: Path, target: Path) -> None:
    """Put `folder` at `target`; afterwards `folder` holds what was there, or nothing."""
    if not target.exists():
        try:
            os.rename(folder, target)
        except OSError:  # another writer was first: two writers of one new place both end well
            if not target.is_dir():
                raise
            _swap_in(folder, target)
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


def beside(path: PathLike, ending: str) -> Path:
    """The place beside a file or folder with another ending, also where it is called `.`.

    Raises:
        OutputError: it has no name, as the root folder.
    """
    place = Path(path)
    if place.name in ("", ".."):
        place = Path(os.path.abspath(place))
    if not place.name:
        raise OutputError(f"{place} has no name to put another file beside: give --out")
    return place.with_suffix(ending)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        OutputError: that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {path} cannot be made: {error.strerror}") from error
