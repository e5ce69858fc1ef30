"""Files of a data set in a folder or a zip; their paths give split and class."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.listing import describe_left_out, list_files
from spikehalt.datasets.reading import MAX_FILE_BYTES, read_file, read_member
from spikehalt.datasets.splits import Split, places
from train.config import ModelConfig
from train.data.classes import Known, label_order, note_lacking, note_once
from train.errors import DataError

LAYOUT = (
    "train/<class>/…, val/<class>/… and test/<class>/… (without val, a part of train is held out)"
)


_PART = re.compile(r"(?P<file>.+\.tar)@(?P<at>\d+)\+(?P<size>\d+)")  # bytes of an uncompressed tar


class Entry(NamedTuple):
    """One file: its split and class by its path, and its name inside the folder or zip."""

    split: Split
    label: str
    name: str


class Files(NamedTuple):
    """What lies in a folder or zip.

    Attributes:
        path: where.
        entries: files with a split and a class.
        left_out: files of other kinds; folders without a file end with "/".
        elsewhere: files of the right kind whose path says no split or class.
    """

    path: str
    entries: list[Entry]
    left_out: tuple[str, ...]
    elsewhere: tuple[str, ...]

    def note(self) -> str | None:
        """What was not read, in one sentence; None if everything was."""
        return describe_left_out(self.path, len(self.entries), self.left_out, self.elsewhere)

    def of(self, split: Split) -> list[Entry]:
        """The files of one split."""
        return [entry for entry in self.entries if entry.split == split]


class Listing(NamedTuple):
    """A data set's files by split, where they lie, and the class names in label order."""

    path: str
    train: list[Entry]
    validation: list[Entry]
    test: list[Entry]
    classes: tuple[str, ...]

    def labels(self, entries: list[Entry]) -> torch.Tensor:
        """Class numbers int64 [N]."""
        index = {name: number for number, name in enumerate(self.classes)}
        return torch.tensor([index[entry.label] for entry in entries], dtype=torch.int64)


Place = Callable[[str], "tuple[Split, str] | None"]


def find_files(path: str, suffixes: frozenset[str], place: Place | None = None) -> Files:
    """Files with these endings.

    Args:
        path: the folder or zip.
        suffixes: lower-case endings.
        place: split and class of a file by its name, where the data set has a layout of its own.

    Raises:
        DataError: nothing is there, or it cannot be listed.
    """
    if not Path(path).exists():
        raise DataError(f"{path} does not exist; data.path must be a folder or zip")
    with raised_as(DataError):
        listing = list_files(path, suffixes)
    found = map(place, listing.files) if place else map(_split_and_class, places(listing.files))
    pairs = list(zip(listing.files, found, strict=True))
    entries = [Entry(*where, name) for name, where in pairs if where is not None]
    elsewhere = tuple(name for name, where in pairs if where is None)
    return Files(path, entries, listing.left_out, elsewhere)


def _split_and_class(place: tuple[Split | None, str | None]) -> tuple[Split, str] | None:
    split, label = place
    return None if split is None or label is None else (split, label)


def make_listing(
    files: Files, model: ModelConfig, known: Known | None = None, expected: str = LAYOUT
) -> Listing:
    """Split the files and order the classes; what is left out is counted and named.

    Args:
        files: of the data set.
        model: says how many classes there must be.
        known: classes of a checkpoint; without it they are the sorted ones of the training files.
        expected: how the data set should be laid out.

    Raises:
        DataError: there are no training files and no known classes, a class has no training files,
            or the classes are not the model's.
    """
    train, validation, test = (files.of(split) for split in ("train", "validation", "test"))
    note = files.note()
    if not train and (known is None or not files.entries):
        rest = f"; {note}" if note else ""
        raise DataError(f"{files.path} holds no files under train/; expected {expected}{rest}")
    own = sorted({entry.label for entry in train or files.entries})
    for split, part in (("validation", validation), ("test", test)):
        unknown = sorted({entry.label for entry in part} - set(own))
        if unknown:
            raise DataError(
                f"{files.path}: {split} classes {', '.join(unknown)} have no training files"
            )
    classes = label_order(own, model, files.path, known, _unread(files, own))
    for split, part in (("validation", validation), ("test", test)):
        lacking = set(own) - {entry.label for entry in part} if part else set()
        note_lacking(f"{files.path}, {split} part,", sorted(lacking))
    if note:
        note_once(note)
    return Listing(files.path, train, validation, test, classes)


def _unread(files: Files, own: Sequence[str]) -> list[str]:
    """Class folders without a readable file, such as those with files of another format."""
    where = places([*files.left_out, *(entry.name for entry in files.entries)])
    labels = {place.label for place in where if place.split == "train" and place.label}
    return sorted(labels - set(own))


class Reader:
    """Reads single files of a folder or a zip, from any process.

    Args:
        path: the folder or zip.
    """

    def __init__(self, path: str) -> None:
        self.root = Path(path)

    def read(self, name: str) -> bytes:
        """The file's bytes.

        Raises:
            DataError: it cannot be read, is no regular file, or is too large.
        """
        with raised_as(DataError):
            part = _PART.fullmatch(name)
            if part:
                return _read_part(self.root / part["file"], int(part["at"]), int(part["size"]))
            if self.root.is_dir():
                return read_file(self.root / name)
            return read_member(self.root, name)


def _read_part(path: Path, at: int, size: int) -> bytes:
    if size > MAX_FILE_BYTES:
        raise DataError(f"{path} holds an image of {size} bytes, more than {MAX_FILE_BYTES}")
    try:
        with path.open("rb") as file:
            file.seek(at)
            content = file.read(size)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) < size:
        raise DataError(f"{path} breaks off behind byte {at + len(content)}")
    return content
