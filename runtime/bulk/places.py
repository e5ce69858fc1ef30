"""Files on this machine's disks, and in object stores by their URI (`s3://…`, `gs://…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from runtime.errors import InputError
from spikehalt.extras import require_extra


def is_uri(place: str) -> bool:
    """Whether it names a file system of its own, as s3://bucket/folder does."""
    return "://" in place


def list_uri(place: str, suffixes: frozenset[str]) -> list[str]:
    """URIs of the files at or below a place that have one of the endings, sorted.

    Raises:
        InputError: there is nothing, or the store refuses.
        MissingExtraError: pyarrow is not installed.
    """
    filesystem, path = _opened(place)
    fs = require_extra("pyarrow.fs", "ray", f"reading {place}")
    try:
        (info,) = filesystem.get_file_info([path])
        if info.type == fs.FileType.Directory:
            infos = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
            found = [each.path for each in infos if each.type == fs.FileType.File]
        else:
            found = [path] if info.type == fs.FileType.File else []
    except OSError as error:
        raise InputError(f"{place} cannot be listed: {error}") from error
    wanted = sorted(each for each in found if Path(each).suffix.lower() in suffixes)
    if not wanted:
        raise InputError(f"no files ending in {', '.join(sorted(suffixes))} in {place}")
    scheme = place.partition("://")[0]
    return [f"{scheme}://{quote(each)}" for each in wanted]


def open_place(place: str) -> Any:
    """A file, opened to read bytes: on disk, or by its URI.

    Raises:
        InputError: there is no such file, or it may not be read.
        MissingExtraError: a URI, and pyarrow is not installed.
    """
    try:
        if not is_uri(place):
            return Path(place).open("rb")
        filesystem, path = _opened(place)
        return filesystem.open_input_file(path)
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror or error}") from error


def _opened(place: str) -> tuple[Any, str]:
    fs = require_extra("pyarrow.fs", "ray", f"reading {place}")
    try:
        filesystem, path = fs.FileSystem.from_uri(place)
    except (ValueError, OSError) as error:  # an unknown scheme; no credentials
        raise InputError(f"{place} cannot be opened: {error}") from error
    return filesystem, path
