"""Every file of a data set, in a folder or a zip, and what a listing leaves out."""

from __future__ import annotations

import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.names import is_skipped, suffix_of
from spikehalt.datasets.reading import MAX_FILE_BYTES, open_zip, read_file, read_member

_MOST_AGAIN = 10_000  # folders met again by links; a few that link to each other make millions


@dataclass(frozen=True)
class Listing:
    """A data set's files; names have "/" between folders and begin below `root`.

    Attributes:
        root: the folder or zip.
        is_zip: which of both.
        files: those with a suffix asked for, sorted.
        left_out: all others but what `is_skipped`, sorted; folders without a file end with "/".
    """

    root: Path
    is_zip: bool
    files: tuple[str, ...]
    left_out: tuple[str, ...]

    def path(self, name: str) -> str:
        """A file's path, for people."""
        return f"{self.root.as_posix()}/{name}"

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """The file's bytes; see `read_file` and `read_member`."""
        if self.is_zip:
            return read_member(self.root, name, limit)
        return read_file(self.root / name, limit)


def list_files(path: str | Path, suffixes: frozenset[str]) -> Listing:
    """List a folder or a zip.

    Links to files and folders are followed; one that leads back to a folder that it lies in is left
    out. Devices and the like are listed, since their names say that they are data: reading them
    fails by name.

    Args:
        path: the folder or zip; its own name may be a hidden one.
        suffixes: lower-case endings of files that are wanted.

    Raises:
        DataFileError: there is nothing, no readable zip, or a folder that may not be listed.
    """
    root = Path(path)
    is_zip = not root.is_dir()
    if is_zip and not root.exists():
        raise DataFileError(f"{path} does not exist")
    names = _in_zip(root) if is_zip else _in_folder(root)
    wanted = [name for name in names if suffix_of(name) in suffixes and not name.endswith("/")]
    left_out = set(names).difference(wanted)
    return Listing(root, is_zip, tuple(sorted(wanted)), tuple(sorted(left_out)))


def describe_left_out(
    where: str | Path, read: int, left_out: Sequence[str], elsewhere: Sequence[str] = ()
) -> str | None:
    """What was not read, counted and named in one sentence; None if everything was.

    Args:
        where: the data set.
        read: how many files were.
        left_out: names of files whose suffix was not asked for; folders end with "/".
        elsewhere: names of files that lie where no data are expected.
    """
    counts = Counter(_kind(name) for name in left_out)
    counts["in no folder of a split and class"] = len(elsewhere)
    parts = [f"{count} {kind}" for kind, count in counts.most_common() if count]
    if not parts:
        return None
    first = min([*left_out, *elsewhere])
    files = read + len(elsewhere) + sum(not name.endswith("/") for name in left_out)
    return f"{where}: {read} of {files} files read; skipped: {', '.join(parts)} (such as {first})"


def _kind(name: str) -> str:
    return "without a file" if name.endswith("/") else suffix_of(name) or "without a suffix"


def _in_folder(root: Path) -> list[str]:
    found: list[str] = []
    seen: Counter[tuple[int, int]] = Counter()
    folders = [(root, "", frozenset[tuple[int, int]]())]
    while folders:
        folder, below, above = folders.pop()
        inside, identity = _entries(folder)
        lineage = above | {identity}
        seen[identity] += 1
        if seen.total() - len(seen) > _MOST_AGAIN:
            raise DataFileError(
                f"{root} cannot be listed: links lead to the same folders more than {_MOST_AGAIN} "
                f"times, such as {folder}; remove those that lead back"
            )
        if below and not inside:
            found.append(below)
        for name in inside:
            path = folder / name
            if not os.path.isdir(path):
                found.append(f"{below}{name}")
            elif _identity(path) in lineage:
                found.append(f"{below}{name}/")
            else:
                folders.append((path, f"{below}{name}/", lineage))
    return found


def _entries(folder: Path) -> tuple[list[str], tuple[int, int]]:
    """Names in a folder, and which folder it is."""
    try:
        status = os.stat(folder)
        inside = [name for name in os.listdir(folder) if not is_skipped(name)]
        return inside, (status.st_dev, status.st_ino)
    except OSError as error:
        raise DataFileError(f"{folder} cannot be listed: {error.strerror}") from error


def _identity(path: Path) -> tuple[int, int] | None:
    """Which folder it is; None if it is gone since it was seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _in_zip(path: Path) -> list[str]:
    members = {_slashed(info.filename): info for info in open_zip(path).infolist()}
    kept = {name: info for name, info in members.items() if not _skipped_anywhere(name)}
    files = {name for name in kept if not name.endswith("/")}
    linked = {name for name in files if _is_link(kept[name])}
    empty = _without_files(set(kept) - files, files)
    return [*(files - linked), *empty, *(f"{name}/" for name in linked)]


def _slashed(name: str) -> str:
    return name if "/" in name else name.replace("\\", "/")


def _skipped_anywhere(name: str) -> bool:
    """Also names that lead out of the archive, by "..": they are no part of a data set."""
    return any(is_skipped(part) for part in name.split("/") if part not in ("", "."))


def _is_link(info: zipfile.ZipInfo) -> bool:
    """A link kept as such, whose content is a path; archives are read without following it."""
    return stat.S_ISLNK(info.external_attr >> 16)


def _without_files(folders: Iterable[str], files: Iterable[str]) -> set[str]:
    used = {name[: at + 1] for name in files for at, letter in enumerate(name) if letter == "/"}
    return set(folders) - used - {"/"}
