"""Training files that cannot be read: an error, or, on request, left out, counted and named."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spikehalt.console import few
from train.data.bar import reading_bar
from train.data.base import Split
from train.data.classes import note_once
from train.data.files import Entry, Reader
from train.errors import DataError

_SHOWN = 5


class LeftOut:
    """Files of one part of a data set that cannot be read.

    Args:
        where: the data set, for messages.
        share: of the files that may be left out, rounded up; 0 = none.
        total: files.
    """

    def __init__(self, where: str, share: float, total: int) -> None:
        self.where, self.share, self.total = where, share, total
        self.names: list[str] = []

    @property
    def most(self) -> int:
        """How many may be left out."""
        return math.ceil(self.share * self.total)

    def add(self, name: str, problem: DataError) -> bool:
        """Count a file once; returns whether it is a new one.

        Raises:
            DataError: the problem, where nothing is left out; or more are unreadable than may be.
        """
        if self.share == 0:
            raise problem
        if name in self.names:
            return False
        self.names.append(name)
        if len(self.names) > self.most:
            raise DataError(
                f"{self.where}: more than {self.most} of {self.total} training files cannot be "
                f"read, the share that data.skip_unreadable={self.share:g} allows ({problem})"
            )
        return True

    def note(self) -> None:
        """Say how many were left out, and which."""
        if self.names:
            note_once(
                f"{self.where}: {len(self.names)} of {self.total} training files cannot be read "
                f"and are left out: {few(self.names, _SHOWN)}"
            )


def decode_all(
    path: str,
    entries: Sequence[Entry],
    labels: Tensor,
    into: np.ndarray,
    decode: Callable[[bytes, str], np.ndarray],
    share: float,
) -> Split:
    """Files decoded into memory, with a progress bar.

    Args:
        path: the folder or zip.
        entries: its files.
        labels: theirs, int64 [N].
        into: where they go [N, …].
        decode: bytes and name of a file to an array.
        share: of the files that may be left out.

    Raises:
        DataError: a file cannot be read, or more than may be left out.
    """
    reader, left_out = Reader(path), LeftOut(path, share, len(entries))
    kept: list[int] = []
    with reading_bar(entries, len(entries), f"reading {Path(path).name}") as bar:
        for row, entry in enumerate(bar):
            try:
                into[len(kept)] = decode(reader.read(entry.name), entry.name)
            except DataError as problem:
                left_out.add(entry.name, problem)
            else:
                kept.append(row)
    left_out.note()
    return Split(torch.from_numpy(into[: len(kept)]), labels[kept])
