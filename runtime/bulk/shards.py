"""Which images there are, and how they are parted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime.bulk.places import is_uri, list_uri, shown
from runtime.bundle import InputSpec
from runtime.errors import InputError
from runtime.inputs.files import Sample, search
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.listing import list_files
from spikehalt.datasets.names import FRAME_SUFFIXES, IMAGE_SUFFIXES

TAR_SUFFIXES = frozenset({".tar", ".tgz"})
PARQUET_SUFFIXES = frozenset({".parquet"})
_CONTAINERS = TAR_SUFFIXES | PARQUET_SUFFIXES


@dataclass(frozen=True)
class Shard:
    """Images that are answered together.

    Attributes:
        number: from 0, in the order of the sources.
        container: a zip, tar or Parquet file that they are in, or its URI; None: plain files.
        names: of the files, or of those in the zip; empty: all that a tar or Parquet file holds.
    """

    number: int
    container: str | None
    names: tuple[str, ...]

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Shard:
        """What `to_json` wrote."""
        plain = json.loads(text)
        return cls(plain["number"], plain["container"], tuple(plain["names"]))


def suffixes_of(spec: InputSpec) -> frozenset[str]:
    """Endings of the files that a bundle takes."""
    return FRAME_SUFFIXES if spec.kind == "frames" else IMAGE_SUFFIXES


def find_shards(
    sources: Sequence[str], spec: InputSpec, size: int, split: str | None = None
) -> list[Shard]:
    """Part sources into shards: `size` files each, or a tar or Parquet file.

    Args:
        sources: files, folders, zips, tar files (WebDataset) and Parquet files, or folders of
            these; paths, or URIs of object stores.
        spec: the bundle's input; decides which files count.
        size: files of a shard.
        split: as for `search`; of folders and zips here.

    Raises:
        InputError: a source does not exist, or has nothing in it.
    """
    parts: list[tuple[str | None, tuple[str, ...]]] = []
    for source in sources:
        parts += _of_uri(source, spec, size) if is_uri(source) else _here(source, spec, size, split)
    return [Shard(number, *part) for number, part in enumerate(parts)]


def digest(shards: Sequence[Shard]) -> str:
    """Tells whether two lists of shards are the same."""
    text = "\n".join(shard.to_json() for shard in shards)
    return hashlib.sha256(text.encode()).hexdigest()


Part = tuple[str | None, tuple[str, ...]]


def _of_uri(source: str, spec: InputSpec, size: int) -> Iterator[Part]:
    found = list_uri(source, suffixes_of(spec) | _CONTAINERS)
    yield from ((name, ()) for name in found if _is_container(name))
    yield from _parted(None, [name for name in found if not _is_container(name)], size)


def _here(source: str, spec: InputSpec, size: int, split: str | None) -> Iterator[Part]:
    path = Path(source)
    if _is_container(source):
        if not path.is_file():
            raise InputError(f"{source} does not exist")
        yield str(path), ()
        return
    containers = _containers_below(path)
    yield from ((name, ()) for name in containers)
    try:
        samples = search([path], spec, split).samples
    except InputError:
        if containers:
            return
        raise
    yield from _of_samples(samples, size)


def _containers_below(path: Path) -> list[str]:
    if not path.is_dir():
        return []
    with raised_as(InputError):
        listing = list_files(path, _CONTAINERS)
    return [str(listing.root / name) for name in listing.files]


def _of_samples(samples: list[Sample], size: int) -> Iterator[Part]:
    archives = {sample.file for sample in samples if sample.member is not None}
    for archive in sorted(archives):
        members = [str(each.member) for each in samples if each.file == archive]
        yield from _parted(str(archive), members, size)
    yield from _parted(None, [str(each.file) for each in samples if each.member is None], size)


def _parted(container: str | None, names: list[str], size: int) -> Iterator[Part]:
    for start in range(0, len(names), size):
        yield container, tuple(names[start : start + size])


def _is_container(name: str) -> bool:
    name = shown(name).lower()
    return Path(name).suffix in _CONTAINERS or name.endswith(".tar.gz")
