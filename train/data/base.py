"""What a data set is once read: images on the training device, or files that are read as needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from spikehalt.datasets.sampling import spread_over_classes
from train.errors import DataError


class ImageSource(Protocol):
    """Labelled images that come in batches: resident (`Split`) or streamed (`StreamSplit`)."""

    @property
    def labels(self) -> Tensor:
        """Class numbers int64 [N]."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> ImageSource:
        """The images at `index`."""

    def to(self, device: torch.device) -> ImageSource:
        """The same images, delivered on another device."""

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Split]:
        """The images at each of `rows`, one batch after the other."""


@dataclass(frozen=True)
class Split:
    """Images uint8 [N, C, H, W] or event frames float32 [N, T, C, H, W]; labels int64 [N]."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> Split:
        """The images at `index`."""
        return Split(self.images[index], self.labels[index])

    def to(self, device: torch.device) -> Split:
        """The same images on another device."""
        return Split(self.images.to(device), self.labels.to(device))

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Split]:
        """The images at each of `rows`, one batch after the other."""
        return (self.take(index.to(self.labels.device)) for index in rows)


@dataclass(frozen=True)
class Dataset:
    """Three disjoint parts, of which a data set may lack validation and test; the class names."""

    train: ImageSource
    validation: ImageSource
    test: ImageSource
    classes: tuple[str, ...]

    def to(self, device: torch.device) -> Dataset:
        """The same data on another device."""
        return Dataset(
            self.train.to(device), self.validation.to(device), self.test.to(device), self.classes
        )


def a_few(part: ImageSource, most: int) -> Tensor:
    """Row numbers int64 of at most `most` images, from every class in proportion."""
    return torch.tensor(spread_over_classes(part.labels.tolist(), most), dtype=torch.int64)


def hold_out(data: Dataset, fraction: float, seed: int) -> Dataset:
    """Move a random `fraction` of the training images into the validation split, if that is empty.

    Raises:
        DataError: too few images are left to train on.
    """
    if len(data.validation) > 0 or len(data.train) == 0:
        return data
    if len(data.train) < 3:
        raise DataError(
            f"{len(data.train)} training images are too few: a step needs at least 2, and one "
            "is held out to validate; add some, or a val/ part"
        )
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
    count = max(1, round(fraction * len(order)))
    validation, train = data.train.take(order[:count]), data.train.take(order[count:])
    return Dataset(train, validation, data.test, data.classes)


def without_validation(train: ImageSource, test: ImageSource, classes: tuple[str, ...]) -> Dataset:
    """A data set whose validation part is still empty."""
    return Dataset(train, train.take(torch.arange(0)), test, classes)
