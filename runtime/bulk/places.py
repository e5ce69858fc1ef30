"""Files on this machine's disks, and in object stores by their URI (`s3://…`, `gs://…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from runtime.errors import InputError
from spikehalt.datasets.reading import check_regular
from spikehalt.extras import require_extra
from spikehalt.reading import reading


def is_uri(place: str) -> bool:
    """Whether it names a file system of its own, as s3://bucket/folder does."""
    return "://" in place


def shown(place: str) -> str:
    """A place as rows and messages name it: without options and credentials of its store."""
    if not is_uri(place):
        return place
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def list_uri(place: str, suffixes: frozenset[str]) -> list[str]:
    """URIs of the files at or below a place that have one of the endings, sorted.

    They keep the place's options, such as `?endpoint_override=http://store:9000`.

    Raises:
        InputError: there is nothing, or the store refuses.
        MissingExtraError: pyarrow is not installed.
    """
    filesystem, path = opened(place)
    fs = require_extra("pyarrow.fs", "ray", f"reading {shown(place)}")
    with reading(shown(place), InputError, "cannot be listed"):
        (info,) = filesystem.get_file_info([path])
        if info.type == fs.FileType.Directory:
            infos = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
            found = [each.path for each in infos if each.type == fs.FileType.File]
        else:
            found = [path] if info.type == fs.FileType.File else []
    wanted = sorted(each for each in found if Path(each).suffix.lower() in suffixes)
    if not wanted:
        raise InputError(f"no files ending in {', '.join(sorted(suffixes))} in {shown(place)}")
    return [_beside(place, each) for each in wanted]


def _beside(place: str, path: str) -> str:
    """The URI of a path in the same store, reached in the same way."""
    parts = urlsplit(place)
    user = "".join(parts.netloc.rpartition("@")[:2])
    authority = parts.netloc if path.startswith("/") else user  # a bucket is part of its paths
    options = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{authority}{quote(path)}{options}"


def open_place(place: str) -> Any:
    """A file, opened to read bytes: on disk, or by its URI.

    Raises:
        InputError: there is no such file, or it may not be read.
        MissingExtraError: a URI, and pyarrow is not installed.
    """
    with reading(shown(place), InputError):
        if not is_uri(place):
            check_regular(place)
            return Path(place).open("rb")
        filesystem, path = opened(place)
        return filesystem.open_input_file(path)


def opened(place: str) -> tuple[Any, str]:
    """The store of a URI, as pyarrow knows it, and the path in it.

    Raises:
        InputError: there is no such kind of store, or it refuses.
        MissingExtraError: pyarrow is not installed.
    """
    fs = require_extra("pyarrow.fs", "ray", f"reading {shown(place)}")
    with reading(shown(place), InputError, "cannot be opened"):  # unknown scheme, no credentials
        filesystem, path = fs.FileSystem.from_uri(place)
    return filesystem, path
