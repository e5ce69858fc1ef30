"""Files of a data set that are read into memory when their images are first asked for."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from rich.progress import track
from torch import Tensor

from spikehalt.console import is_quiet
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
        bar = track(
            self.files.batches(rows),
            "reading images",
            len(rows),
            transient=True,
            disable=is_quiet(),
        )
        # Closed on errors too: the bar's thread would go on.
        with closing(cast("Generator[Split, None, None]", bar)):
            parts = list(bar)
        return Split(
            torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
        )
