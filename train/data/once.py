"""Files of a data set that are read into memory when their images are first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from train.data.bar import reading_bar
from train.data.base import ImageSource, Split

_AT_ONCE = 64


@dataclass(frozen=True)
class ReadOnce:
    """Labelled files; all of them are read for the first batch, and kept.

    What measures one part of a data set, or a few of its images, so reads no others.

    Attributes:
        files: which, streamed.
    """

    files: ImageSource

    @property
    def labels(self) -> Tensor:
        """Class numbers int64 [N]."""
        return self.files.labels

    def __len__(self) -> int:
        return len(self.files)

    def take(self, index: Tensor) -> ReadOnce:
        """The files at `index`."""
        return ReadOnce(self.files.take(index))

    def to(self, device: torch.device) -> ReadOnce:
        """The same files, kept on another device."""
        return ReadOnce(self.files.to(device))

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Split]:
        """The images at each of `rows`, one batch after the other."""
        return self._images.batches(rows)

    @cached_property
    def _images(self) -> Split:
        """All of them, with a progress bar."""
        rows = torch.arange(len(self)).split(_AT_ONCE)
        with reading_bar(self.files.batches(rows), len(rows), "reading images") as bar:
            parts = list(bar)
        return Split(
            torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
        )
