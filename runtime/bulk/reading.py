"""The bytes of a shard's images, one after the other; what cannot be read is told in its place."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runtime.bulk.places import is_uri, open_place, shown
from runtime.bulk.shards import PARQUET_SUFFIXES, Shard
from runtime.errors import InputError
from runtime.inputs.files import Sample
from spikehalt.datasets.reading import MAX_FILE_BYTES
from spikehalt.extras import require_extra
from spikehalt.reading import reason

Content = bytes | InputError
Named = tuple[str, Content]  # an image's name, and its bytes, or why there are none
# Columns of Parquet files: Ray's, and those of data sets on the Hugging Face hub.
_COLUMNS = ("bytes", "image", "image.bytes", "img", "content", "jpg", "png")
_ROWS = 64  # of a Parquet file at once


def read_shard(shard: Shard, suffixes: frozenset[str]) -> Iterator[Named]:
    """Every image of a shard, in order.

    Args:
        shard: what to read.
        suffixes: endings of the files of a tar that are images.
    """
    if shard.container is None:
        yield from ((shown(name), _read(name)) for name in shard.names)
    elif shard.names:
        yield from (_member(shard.container, name) for name in shard.names)
    elif Path(shown(shard.container)).suffix.lower() in PARQUET_SUFFIXES:
        yield from _of_parquet(shard.container)
    else:
        yield from _of_tar(shard.container, suffixes)


def _read(name: str) -> Content:
    try:
        if not is_uri(name):
            return Sample(name, "", Path(name)).read()
        with open_place(name) as file:
            return _bounded(file.read(MAX_FILE_BYTES + 1), shown(name))
    except (InputError, OSError) as error:
        return error if isinstance(error, InputError) else InputError(f"{shown(name)}: {error}")


def _bounded(data: Any, name: str) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{name} has more than {MAX_FILE_BYTES} bytes")
    return bytes(data)


def _member(archive: str, name: str) -> Named:
    sample = Sample(f"{archive}/{name}", "", Path(archive), name)
    try:
        return sample.name, sample.read()
    except InputError as error:
        return sample.name, error


def _of_tar(place: str, suffixes: frozenset[str]) -> Iterator[Named]:
    """The images of a tar file, as WebDataset has them; one row for what breaks off."""
    name = shown(place)
    try:
        with open_place(place) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                if member.isfile() and Path(member.name).suffix.lower() in suffixes:
                    yield f"{name}/{member.name}", _of_member(archive, member, name)
    except InputError as error:
        yield name, error
    except Exception as error:  # damaged files raise what they like
        yield name, InputError(f"{name} breaks off, or is no tar file: {reason(error)}")


def _of_member(archive: tarfile.TarFile, member: tarfile.TarInfo, place: str) -> Content:
    if member.size > MAX_FILE_BYTES:
        return InputError(f"{place}/{member.name} has more than {MAX_FILE_BYTES} bytes")
    file = archive.extractfile(member)
    assert file is not None  # it is a file
    return file.read()


def _of_parquet(place: str) -> Iterator[Named]:
    """The rows of a Parquet file, by their numbers."""
    name, number = shown(place), 0
    parquet = require_extra("pyarrow.parquet", "ray", f"reading {name}")
    try:
        with open_place(place) as opened:
            file = parquet.ParquetFile(opened)
            column = _column(file.schema_arrow.names, name)
            for batch in file.iter_batches(batch_size=_ROWS, columns=[column]):
                for value in batch.column(0).to_pylist():
                    yield f"{name}#{number}", _value(value, f"{name}#{number}")
                    number += 1
    except InputError as error:
        yield name, error
    except Exception as error:  # damaged files raise what they like
        yield name, InputError(f"{name} cannot be read behind row {number}: {reason(error)}")


def _column(names: list[str], place: str) -> str:
    found = next((name for name in _COLUMNS if name in names), None)
    if found is None:
        raise InputError(
            f"{place} has no column of images: it has {', '.join(names[:12])}; looked for are "
            f"{', '.join(_COLUMNS)}"
        )
    return found


def _value(value: Any, name: str) -> Content:
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        return data
    return InputError(f"{name} holds no bytes of an image file, but {type(data).__name__}")
