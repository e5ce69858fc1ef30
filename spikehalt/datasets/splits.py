"""What the folders of a data set say: train, val or test, and the class.

Judged by what lies below the path that the user gave, never by names above it:

    [wrapper/] train/<class>/[folders/] file     with splits; their names in any case
    [wrapper/] <class>/[folders/] file           without
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

Split = Literal["train", "validation", "test"]
SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}

Folders = tuple[str, ...]


class Place(NamedTuple):
    """Where a file of a data set belongs; None where its folders do not say."""

    split: Split | None
    label: str | None


def split_of(folder: str) -> Split | None:
    """Which split a folder's name means, if any."""
    return _SPLIT_OF.get(folder.casefold())


def normal(label: str) -> str:
    """A class name in one spelling: systems store "é" as one letter or as two."""
    return unicodedata.normalize("NFC", label)


def places(names: Sequence[str]) -> list[Place]:
    """The split and class of every file of a data set.

    Args:
        names: paths with "/", all below one folder or zip.
    """
    folders = [tuple(name.split("/")[:-1]) for name in names]
    level = split_level(folders)
    if level is not None:
        return [_below_split(each, level) for each in folders]
    level = _class_level(folders)
    return [Place(None, _label(each, level)) for each in folders]


def split_level(folders: Sequence[Folders]) -> int | None:
    """How deep the folders of the splits lie; None if there are none.

    The outermost level with a `train` that holds folders counts, or else with any split that does,
    or else where nothing but splits lie: a class may be called "train" as well.
    """
    folders = list(set(folders))
    holding = {(depth, split_of(name)) for each in folders for depth, name in enumerate(each[:-1])}
    for wanted in (("train",), tuple(SPLIT_NAMES)):
        depths = [depth for depth, split in holding if split in wanted]
        if depths:
            return min(depths)
    deepest = max(map(len, folders), default=0)
    for depth in range(deepest):
        if all(len(each) > depth and split_of(each[depth]) for each in folders):
            return depth
    return None


def _below_split(folders: Folders, level: int) -> Place:
    split = split_of(folders[level]) if len(folders) > level else None
    return Place(split, _label(folders, level + 1) if split else None)


def _class_level(folders: Sequence[Folders]) -> int:
    """How deep class folders lie where there are no splits: below what all files have in common.

    Where files lie in the common folder itself, it is a class unless several folders are beside
    them.
    """
    common = _common(folders)
    below = {each[common] for each in folders if len(each) > common}
    everywhere = all(len(each) > common for each in folders)
    return common if everywhere or len(below) > 1 else max(common - 1, 0)


def _common(folders: Sequence[Folders]) -> int:
    """How many folders all of these begin with."""
    first, last = min(folders, default=()), max(folders, default=())
    pairs = zip(first, last, strict=False)
    return next((depth for depth, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))


def _label(folders: Folders, level: int) -> str | None:
    return normal(folders[level]) if len(folders) > level else None
