"""Files of a data set in a folder or a zip, and what their paths say of split and class."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import torch
from rich.progress import track

from train.config import ModelConfig
from train.data.base import check_classes
from train.errors import DataError
from train.parallel.distributed import rank_and_world

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
LAYOUT = "train/<class>/… and test/<class>/… (or val/<class>/…)"


class Entry(NamedTuple):
    """One file: its split and class by its path, and its name inside the folder or zip."""

    split: str
    label: str
    name: str


class Listing(NamedTuple):
    """A data set's files: where they are, who they are, and the class names in label order."""

    path: str
    train: list[Entry]
    test: list[Entry]
    classes: tuple[str, ...]

    def labels(self, entries: list[Entry]) -> torch.Tensor:
        """Class numbers int64 [N]."""
        index = {name: number for number, name in enumerate(self.classes)}
        return torch.tensor([index[entry.label] for entry in entries], dtype=torch.int64)


def file_names(path: str) -> list[str]:
    """Every file under a folder or in a zip, sorted.

    Raises:
        DataError: nothing is there.
    """
    source = Path(path)
    if not source.exists():
        raise DataError(f"{path} does not exist; data.path must be a folder or zip")
    if source.is_dir():
        return sorted(f.relative_to(source).as_posix() for f in source.rglob("*") if f.is_file())
    with open_zip(source) as archive:
        return sorted(name for name in archive.namelist() if not name.endswith("/"))


def open_zip(source: Path) -> zipfile.ZipFile:
    """The opened zip.

    Raises:
        DataError: it is none.
    """
    try:
        return zipfile.ZipFile(source)
    except zipfile.BadZipFile:
        raise DataError(f"{source} is neither a folder nor a readable zip") from None


def by_folders(name: str) -> Entry | None:
    """…/train/<class>/file or …/test/<class>/file; `val` counts as `test`."""
    parts = PurePosixPath(name).parts
    if len(parts) < 3 or parts[-3] not in ("train", "test", "val") or parts[0] == "__MACOSX":
        return None
    return Entry("train" if parts[-3] == "train" else "test", parts[-2], name)


def list_files(
    path: str, suffixes: frozenset[str], entry: Callable[[str], Entry | None] = by_folders
) -> list[Entry]:
    """Files with these endings that `entry` finds a split and class for."""
    names = (name for name in file_names(path) if PurePosixPath(name).suffix.lower() in suffixes)
    return [found for found in map(entry, names) if found is not None]


def make_listing(
    path: str, entries: list[Entry], model: ModelConfig, expected: str = LAYOUT
) -> Listing:
    """Split the files; classes are the sorted class names of the training files.

    Raises:
        DataError: a split is empty, a test class has no training files, or the number of classes is
            not the model's.
    """
    missing = {"train", "test"} - {entry.split for entry in entries}
    if missing:
        raise DataError(
            f"{path} holds no files under {' and '.join(sorted(missing))}/; expected {expected}"
        )
    train, test = ([e for e in entries if e.split == split] for split in ("train", "test"))
    classes = tuple(sorted({entry.label for entry in train}))
    unknown = sorted({entry.label for entry in test} - set(classes))
    if unknown:
        raise DataError(f"{path}: test classes {', '.join(unknown)} have no training files")
    check_classes(classes, model, path)
    return Listing(path, train, test, classes)


class Reader:
    """Reads single files of a folder or a zip; each process opens the zip for itself.

    Args:
        path: the folder or zip.
    """

    def __init__(self, path: str) -> None:
        self.root = Path(path)
        self._archive: zipfile.ZipFile | None = None

    def read(self, name: str) -> bytes:
        """The file's bytes.

        Raises:
            DataError: it cannot be read.
        """
        try:
            if self.root.is_dir():
                return (self.root / name).read_bytes()
            if self._archive is None:
                self._archive = open_zip(self.root)
            return self._archive.read(name)
        except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
            raise DataError(f"{name} cannot be read ({error})") from None

    def __getstate__(self) -> dict[str, object]:
        return {"root": self.root, "_archive": None}


def read_all(path: str, entries: list[Entry]) -> Iterator[bytes]:
    """The files' contents, in order, with a progress bar."""
    reader = Reader(path)
    quiet = rank_and_world()[0] > 0
    for entry in track(entries, f"reading {Path(path).name}", transient=True, disable=quiet):
        yield reader.read(entry.name)
