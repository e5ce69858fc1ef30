"""Text that people write: UTF-8 with or without a byte order mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from spikehalt.console import visible
from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.reading import read_file
from spikehalt.datasets.splits import normal

MAX_TEXT_BYTES = 64 * 2**20


def read_text(path: str | Path, limit: int = MAX_TEXT_BYTES) -> str:
    """The text of a regular file.

    Raises:
        DataFileError: it cannot be read, is too large, or is in another encoding.
    """
    return decode_text(read_file(path, limit), str(path))


def decode_text(data: bytes, where: str) -> str:
    """UTF-8 to text, without its byte order mark.

    Args:
        data: the file's bytes.
        where: what to call it in messages.

    Raises:
        DataFileError: it is in another encoding.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataFileError(
            f"{where} is not UTF-8 text (line {line}, byte {error.start}): save it as UTF-8"
        ) from None


def read_names(path: str | Path) -> tuple[str, ...]:
    """One name per line, such as the classes of a model.

    Raises:
        DataFileError: as `read_text`; a name is empty or there twice.
    """
    names = tuple(line.strip() for line in read_text(path).rstrip().splitlines())
    check_names(names, str(path))
    return names


def check_names(names: Iterable[str], where: str) -> None:
    """Refuse names that cannot tell classes apart.

    Raises:
        DataFileError: one is empty, no text, or stands there twice.
    """
    counts = Counter(map(normal, names))
    if not counts or "" in counts:
        raise DataFileError(f"{where} has an empty class name: give every class one of its own")
    broken = [name for name in counts if name != name.encode("utf-8", "replace").decode()]
    if broken:
        raise DataFileError(
            f"{where} has a class name that is no UTF-8 text, {visible(broken[0])}: rename it"
        )
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataFileError(
            f"{where} has {len(twice)} class name(s) more than once, such as {twice[0]!r}: labels "
            "are matched by name, so give every class one of its own"
        )
