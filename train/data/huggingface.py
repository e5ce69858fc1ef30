"""Data sets of the Hugging Face hub, or saved to disk, through the optional package `datasets`.

A set needs a column of images and a column of class labels; the names are found by their types.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from spikehalt.extras import require_extra
from train.config import DataConfig, ModelConfig
from train.data.base import Dataset, Split, check_classes, without_validation
from train.data.images import decode_image
from train.errors import DataError

_TEST_NAMES = ("test", "validation", "valid", "val")


def load_huggingface(data: DataConfig, model: ModelConfig) -> Dataset:
    """Every image, in the model's size and channels, uint8 [N, C, H, W].

    Args:
        data: `path` is a name on the hub (`uoft-cs/cifar10`), with a configuration after a colon
            where it has several, or a folder written by `save_to_disk`.
        model: image size, channels, classes.

    Raises:
        DataError: `datasets` is not installed, or the set has no image and label columns, or no
            test part.
    """
    parts = _load(data.path)
    train, test = _part(parts, ("train",), data.path), _part(parts, _TEST_NAMES, data.path)
    image, label, classes = columns(train.features, data.path)
    check_classes(classes, model, data.path)
    return without_validation(
        _split(train, image, label, data, model), _split(test, image, label, data, model), classes
    )


def _load(path: str) -> Any:
    datasets = require_extra("datasets", "huggingface", "data.name 'huggingface'")
    try:
        if Path(path).is_dir():
            return datasets.load_from_disk(path)
        name, _, configuration = path.partition(":")
        return datasets.load_dataset(name, configuration or None)
    except Exception as error:  # the package raises its own and its backends' kinds
        raise DataError(f"{path} cannot be loaded: {error}") from None


def _part(parts: Any, names: tuple[str, ...], path: str) -> Any:
    for name in names:
        if name in parts:
            return parts[name]
    raise DataError(f"{path} has the parts {', '.join(parts)}, needs one of {', '.join(names)}")


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
    # CIFAR-100 has coarse labels beside the fine ones: more classes say more.
    label = max(labels, key=lambda name: len(features[name].names))
    return images[0], label, tuple(features[label].names)


def _split(part: Any, image: str, label: str, data: DataConfig, model: ModelConfig) -> Split:
    images = np.empty((len(part), model.channels, *model.image_size), np.uint8)
    for row, sample in enumerate(track(part, "reading images", transient=True)):
        content = io.BytesIO()
        sample[image].save(content, "PNG")
        images[row] = decode_image(content.getvalue(), f"image {row}", data, model)
    return Split(torch.from_numpy(images), torch.tensor(part[label], dtype=torch.int64))
