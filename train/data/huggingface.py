"""Data sets of the Hugging Face hub, or saved to disk, through the optional package `datasets`.

A set needs a column of images and a column of class labels, which are found by their types.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.pixels import image_to_pixels
from spikehalt.datasets.splits import Split as SplitName
from spikehalt.datasets.splits import split_of
from spikehalt.extras import require_extra
from train.config import DataConfig, ModelConfig
from train.data.bar import reading_bar
from train.data.base import Dataset, Split
from train.data.classes import Known, label_order, note_once, renumber
from train.data.unreadable import LeftOut
from train.errors import DataError


def load_huggingface(data: DataConfig, model: ModelConfig, known: Known | None = None) -> Dataset:
    """Every image, in the model's size and channels, uint8 [N, C, H, W].

    Args:
        data: `path` is a name on the hub (`uoft-cs/cifar10`), with a configuration after a colon
            where it has several, or a folder written by `save_to_disk`.
        model: image size, channels, classes.
        known: classes of a checkpoint.

    Raises:
        DataError: `datasets` is not installed, or the set has no training part, or no image and
            label columns.
    """
    parts = _load(data.path)
    by_split = {split: parts[name] for name in parts if (split := split_of(name))}
    if "train" not in by_split:
        raise DataError(f"{data.path} has the parts {', '.join(parts)}, needs one called train")
    own = columns(by_split["train"].features, data.path)[2]
    classes = label_order(own, model, data.path, known)
    strict = replace(data, skip_unreadable=0.0)
    hows: dict[SplitName, DataConfig] = {"train": data, "validation": strict, "test": strict}
    train, validation, test = (
        _split(by_split.get(split), f"{data.path}, part {split}", classes, how, model)
        for split, how in hows.items()
    )
    return Dataset(train, validation, test, classes)


def _load(path: str) -> Any:
    datasets = require_extra("datasets", "huggingface", "data.name 'huggingface'")
    try:
        if Path(path).is_dir():
            return datasets.load_from_disk(path)
        name, _, configuration = path.partition(":")
        return datasets.load_dataset(name, configuration or None)
    except Exception as error:  # the package raises its own and its backends' kinds
        raise DataError(f"{path} cannot be loaded: {error}") from None


def columns(features: Any, path: str) -> tuple[str, str, tuple[str, ...]]:
    """Names of the image and the label column, and the class names.

    Raises:
        DataError: there is none of either, or several images.
    """
    images = [name for name, kind in features.items() if type(kind).__name__ == "Image"]
    labels = [name for name, kind in features.items() if hasattr(kind, "names")]
    if len(images) != 1 or not labels:
        raise DataError(
            f"{path} has the columns {', '.join(features)}; one of images and one of class labels "
            "are needed"
        )
    # CIFAR-100 has coarse labels beside the fine ones: the column with more classes is taken.
    label = max(labels, key=lambda name: len(features[name].names))
    return images[0], label, tuple(features[label].names)


def _split(
    part: Any, where: str, classes: tuple[str, ...], data: DataConfig, model: ModelConfig
) -> Split:
    """One part's images; none where there is no such part, or where its labels are withheld."""
    found, own, labels = _labels(part, where)
    left_out = LeftOut(where, data.skip_unreadable, len(labels))
    images = np.empty((len(labels), model.channels, *model.image_size), np.uint8)
    kept: list[int] = []
    with reading_bar(part or (), len(labels), f"reading {where}") as bar:
        for row, sample in zip(range(len(labels)), bar, strict=False):
            name = f"{where}, image {row}"
            try:
                with raised_as(DataError):
                    pixels = image_to_pixels(
                        sample[found], name, model.image_size, model.channels, data.preprocessing
                    )
            except DataError as problem:
                left_out.add(name, problem)
                continue
            images[len(kept)] = pixels.transpose(2, 0, 1)
            kept.append(row)
    left_out.note()
    return Split(torch.from_numpy(images[: len(kept)]), renumber(labels[kept], own, classes))


def _labels(part: Any, where: str) -> tuple[str, tuple[str, ...], Tensor]:
    """The image column, the part's own class names, and its labels int64 [N]."""
    if part is None:
        return "", (), torch.empty(0, dtype=torch.int64)
    image, label, own = columns(part.features, where)
    labels = torch.tensor(part[label], dtype=torch.int64)
    if len(labels) and int(labels.min()) < 0:
        note_once(f"{where} is left out: {int((labels < 0).sum())} of its labels are withheld")
        labels = labels[:0]
    return image, own, labels
