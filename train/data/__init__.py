"""Data sets: training, validation and test images with their labels."""

from __future__ import annotations

from collections.abc import Callable

from train.config import DataConfig, DatasetName, ModelConfig
from train.data.base import Dataset, ImageSource, Split, hold_out
from train.data.cifar import load_cifar
from train.data.digits import load_digits
from train.data.events import load_events
from train.data.folder import load_folder
from train.data.huggingface import load_huggingface
from train.data.tiny_imagenet import load_tiny_imagenet

__all__ = ["Dataset", "ImageSource", "Split", "load_data"]

_LOADERS: dict[DatasetName, Callable[[DataConfig, ModelConfig], Dataset]] = {
    "digits": load_digits,
    "folder": load_folder,
    "events": load_events,
    "cifar": load_cifar,
    "tiny-imagenet": load_tiny_imagenet,
    "huggingface": load_huggingface,
}


def load_data(data: DataConfig, model: ModelConfig, seed: int) -> Dataset:
    """The configured data set, with a validation part held out of the training images.

    Args:
        data: which set, and where.
        model: says the image size, channels and timesteps the images are brought to.
        seed: of the held-out choice.

    Raises:
        DataError: nothing is there, or it is not laid out as documented.
    """
    return hold_out(_LOADERS[data.name](data, model), data.validation_fraction, seed)
