"""What a data set is once read: images on the training device, or files that are read as needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from train.config import ModelConfig
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
    """Three disjoint parts and the class names."""

    train: ImageSource
    validation: ImageSource
    test: ImageSource
    classes: tuple[str, ...]

    def to(self, device: torch.device) -> Dataset:
        """The same data on another device."""
        return Dataset(
            self.train.to(device), self.validation.to(device), self.test.to(device), self.classes
        )


def hold_out(data: Dataset, fraction: float, seed: int) -> Dataset:
    """Move a random `fraction` of the training images into the validation split."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
    count = max(1, round(fraction * len(order)))
    validation, train = data.train.take(order[:count]), data.train.take(order[count:])
    return Dataset(train, validation, data.test, data.classes)


def check_classes(classes: tuple[str, ...], model: ModelConfig, source: str) -> None:
    """Refuse a data set whose number of classes is not the model's."""
    if len(classes) != model.classes:
        raise DataError(
            f"{source} has {len(classes)} classes, the model is configured for {model.classes}; "
            f"set model.classes={len(classes)}"
        )


def without_validation(train: ImageSource, test: ImageSource, classes: tuple[str, ...]) -> Dataset:
    """A data set whose validation part is still empty."""
    return Dataset(train, train.take(torch.arange(0)), test, classes)
