"""Class names: the one way in which labels are matched, never by position or count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from spikehalt import console
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.splits import normal
from spikehalt.datasets.texts import check_names
from train.config import ModelConfig
from train.errors import DataError

_SHOWN = 12


@dataclass(frozen=True)
class Known:
    """Classes that a checkpoint has: a data set's are matched to them.

    Attributes:
        classes: names in label order, which need not be sorted.
        partial: whether the data may lack some of them, as for evaluation.
    """

    classes: tuple[str, ...]
    partial: bool = False


def label_order(
    own: Sequence[str],
    model: ModelConfig,
    source: str,
    known: Known | None = None,
    unread: Collection[str] = (),
) -> tuple[str, ...]:
    """The class names in label order: a checkpoint's, or else the data set's own.

    Args:
        own: names that the data set has, in its order.
        model: says how many there must be.
        source: the data set, for messages.
        known: classes of the checkpoint that is continued or evaluated.
        unread: names of class folders of which no file could be read.

    Raises:
        DataError: a name is empty or occurs twice, one side lacks a class, or the number of classes
            is not the model's.
    """
    with raised_as(DataError):
        check_names(own, source)
    if known is not None:
        _compare(own, known, source)
        return known.classes
    if len(own) == model.classes:
        return tuple(own)
    count = f"{source} has {len(own)} classes, the model is configured for {model.classes}"
    if unread:
        raise DataError(f"{count}; no file could be read of {_some(unread)}")
    raise DataError(f"{count}; set model.classes={len(own)}")


def _compare(own: Sequence[str], known: Known, source: str) -> None:
    with raised_as(DataError):
        check_names(known.classes, "the checkpoint")
    theirs = set(map(normal, known.classes))
    foreign = [name for name in own if normal(name) not in theirs]
    lacking = [name for name in known.classes if normal(name) not in set(map(normal, own))]
    if foreign or (lacking and not known.partial):
        sides = [f"the checkpoint does not know {_some(foreign)}"] if foreign else []
        sides += [f"the data lack {_some(lacking)}"] if lacking else []
        other = "" if known.partial else "; for other classes take --start CKPT --new-head"
        raise DataError(
            f"the classes of {source} are not those of the checkpoint: {', and '.join(sides)}; "
            "labels are matched by name, so name the folders as the checkpoint does: "
            f"{_some(known.classes)}{other}"
        )
    note_lacking(source, lacking)


def renumber(labels: Tensor, own: Sequence[str], order: Sequence[str]) -> Tensor:
    """Class numbers int64 [N] of `own` names as those of the same names in `order`.

    Raises:
        DataError: a name is not in `order`.
    """
    index = {normal(name): number for number, name in enumerate(order)}
    foreign = [name for name in own if normal(name) not in index]
    if foreign:
        raise DataError(f"classes {_some(foreign)} have no training files")
    table = torch.tensor([index[normal(name)] for name in own], dtype=torch.int64)
    return table[labels]


def note_lacking(part: str, lacking: Sequence[str]) -> None:
    """Name the classes that a part of a data set has no example of."""
    if lacking:
        note_once(f"{part} has no files of {len(lacking)} class(es): {_some(lacking)}")


@lru_cache(maxsize=1024)
def note_once(text: str) -> None:
    """Print a note once, although one command may reach it several times."""
    console.note(text)


def _some(names: Iterable[str]) -> str:
    return console.few(list(names), _SHOWN)
