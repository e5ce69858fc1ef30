"""WebDataset: tar files of images with their labels beside them, read at any place.

    train/000000.tar, … or name-train-000000.tar, …      and so for val and test
        n01440764_1.jpg, n01440764_1.cls                 a sample: one name up to the first dot
    classes.txt                                          names of the classes, if there is one

The headers are read once, and every image's place in its tar is kept. So the order of images is
drawn over all shards, as of any other set, and a run goes on exactly where it stopped.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.listing import list_files
from spikehalt.datasets.names import IMAGE_SUFFIXES
from spikehalt.datasets.reading import read_file
from spikehalt.datasets.splits import Split, split_of
from spikehalt.datasets.texts import decode_text
from train.config import DataConfig, ModelConfig
from train.data.base import Dataset
from train.data.classes import Known
from train.data.files import Entry, Files, make_listing
from train.data.folder import load_images
from train.errors import DataError

_CLASSES = "classes.txt"
_TAR = frozenset({".tar"})
_LABELS = (".cls", ".json")
LAYOUT = "train/*.tar or *-train-*.tar, of images with .cls files beside them"


def load_webdataset(data: DataConfig, model: ModelConfig, known: Known | None = None) -> Dataset:
    """Every labelled image, in the model's size; resident, or streamed if so configured.

    Raises:
        DataError: the path is missing or not laid out as above.
    """
    if not Path(data.path).is_dir():
        raise DataError(f"{data.path} is no folder; expected one with {LAYOUT}")
    with raised_as(DataError):
        listing = list_files(data.path, _TAR)
        classes = _classes(Path(data.path) / _CLASSES)
    parts = {name: _split(name) for name in listing.files}
    found = [
        (split, *sample)
        for name, split in parts.items()
        if split is not None
        for sample in _samples(Path(data.path), name)
    ]
    width = max((len(label) for _, label, _ in found if label.isdecimal()), default=0)
    entries = [Entry(split, _named(label, classes, width), name) for split, label, name in found]
    elsewhere = tuple(name for name, split in parts.items() if split is None)
    left_out = tuple(name for name in listing.left_out if name != _CLASSES)
    files = Files(data.path, entries, left_out, elsewhere)
    return load_images(make_listing(files, model, known, LAYOUT), data, model)


def _split(name: str) -> Split | None:
    """By a word of the tar's path."""
    found = (split_of(word) for word in re.split(r"[/_.\-]", name))
    return next((split for split in found if split is not None), None)


def _samples(root: Path, name: str) -> Iterator[tuple[str, str]]:
    """Labels of a tar's images, and their names with their places.

    Raises:
        DataError: the tar breaks off, or an image has no label.
    """
    path = root / name
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                folder, _, file = member.name.rpartition("/")
                key, ending = f"{folder}/{file.partition('.')[0]}", Path(file).suffix.lower()
                if not member.isfile():
                    continue
                if ending in IMAGE_SUFFIXES:
                    images[key] = f"{name}@{member.offset_data}+{member.size}"
                elif ending in _LABELS:
                    content = archive.extractfile(member)
                    assert content is not None  # it is a file
                    labels.setdefault(key, _label(content.read(), f"{path}/{member.name}"))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} breaks off, or is no plain tar file: {error}") from error
    lacking = sorted(images.keys() - labels.keys())
    if lacking:
        raise DataError(
            f"{path}: {len(lacking)} images have no {' or '.join(_LABELS)} file beside them (such "
            f"as {lacking[0].lstrip('/')})"
        )
    yield from ((labels[key], place) for key, place in images.items())


def _label(content: bytes, name: str) -> str:
    """A class's number or name: the text, or what JSON calls `label` or `cls`."""
    with raised_as(DataError):
        text = decode_text(content, name).strip()
    if not name.endswith(".json"):
        return text
    try:
        plain = json.loads(text)
        return str(plain["label"] if "label" in plain else plain["cls"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{name} holds no label ({error!r})") from error


def _classes(path: Path) -> list[str] | None:
    if not path.is_file():
        return None
    return [line.strip() for line in decode_text(read_file(path), str(path)).splitlines() if line]


def _named(label: str, classes: list[str] | None, width: int) -> str:
    """A class's name; numbers without one are made as long as each other, to sort as numbers do."""
    if not label.isdecimal():
        return label
    if classes is None:
        return label.zfill(width)
    if int(label) >= len(classes):
        raise DataError(f"label {label} has no name: {_CLASSES} has {len(classes)} lines")
    return classes[int(label)]
