"""Reading what others wrote: whatever goes wrong ends as one error that names the file.

What a damaged file makes a library raise cannot be listed (zlib.error, EOFError, RecursionError,
MemoryError by a declared size, …), so errors are mapped by place: while this file is read.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from spikehalt.errors import SpikehaltError

PathLike = str | os.PathLike[str]
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
FETCH_IT = "is a Git LFS pointer, not the file itself: `git lfs pull` fetches it"
_MAX_REASON = 300
_PANIC = "PanicException"  # what a library in Rust raises, which is no Exception
_OBJECT = re.compile(r"\s*<[^<>]* at 0x[0-9a-fA-F]+>")  # such as <_io.BytesIO object at 0x7f…>


@contextlib.contextmanager
def reading(
    place: PathLike, error: type[SpikehaltError], problem: str = "cannot be read"
) -> Iterator[None]:
    """Goes around code that reads one file: whatever it raises becomes an `error`.

    Errors of this project pass unchanged, being told already; where the file is a Git LFS pointer,
    that is told instead.

    Args:
        place: the file, or what to call it, such as a zip's member.
        error: what to raise.
        problem: what is wrong with it, as "is not a readable image".

    Raises:
        SpikehaltError: of kind `error`, in place of every other exception.
    """
    try:
        yield
    except SpikehaltError as known:
        if is_lfs_pointer(place):
            raise error(f"{name_of(place)} {FETCH_IT}") from known
        raise
    except BaseException as other:
        if not isinstance(other, Exception) and type(other).__name__ != _PANIC:
            raise
        why = FETCH_IT if is_lfs_pointer(place) else f"{problem}: {reason(other)}"
        raise error(f"{name_of(place)} {why}") from other


def refuse_lfs_pointer(place: PathLike, data: bytes, error: type[SpikehaltError]) -> bytes:
    """The bytes of a file, unless Git left a pointer in its place.

    Raises:
        SpikehaltError: of kind `error`: it did.
    """
    if data.startswith(LFS_POINTER):
        raise error(f"{name_of(place)} {FETCH_IT}")
    return data


def is_lfs_pointer(path: PathLike) -> bool:
    """Whether a file is there that Git LFS has not replaced by the real one yet."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(len(LFS_POINTER)) == LFS_POINTER
    except (OSError, ValueError):
        return False


def name_of(place: PathLike) -> str:
    """A path as text that every output takes."""
    return os.fspath(place).encode("utf-8", "backslashreplace").decode()


def reason(problem: BaseException) -> str:
    """Why, in one short line: an exception's own words, or its kind where it has none."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    if isinstance(problem, MemoryError):
        return "it asks for more memory than there is"
    words = " ".join(_OBJECT.sub("", str(problem)).split())
    if isinstance(problem, KeyError):
        words = f"it lacks {words}"
    return (words or type(problem).__name__)[:_MAX_REASON]
