"""Data sets: training, validation and test images with their labels."""

from __future__ import annotations

from collections.abc import Callable

from train.config import DataConfig, DatasetName, ModelConfig
from train.data.base import Dataset, ImageSource, Split, a_few, hold_out
from train.data.cifar import load_cifar
from train.data.classes import Known
from train.data.digits import load_digits
from train.data.events import load_events
from train.data.folder import load_folder
from train.data.huggingface import load_huggingface
from train.data.tiny_imagenet import load_tiny_imagenet
from train.data.webdataset import load_webdataset

__all__ = ["Dataset", "ImageSource", "Known", "Split", "a_few", "load_data"]

_LOADERS: dict[DatasetName, Callable[[DataConfig, ModelConfig, Known | None], Dataset]] = {
    "digits": load_digits,
    "folder": load_folder,
    "events": load_events,
    "cifar": load_cifar,
    "tiny-imagenet": load_tiny_imagenet,
    "webdataset": load_webdataset,
    "huggingface": load_huggingface,
}


def load_data(
    data: DataConfig, model: ModelConfig, seed: int, known: Known | None = None
) -> Dataset:
    """The configured data set; without a validation part of its own, one is held out of training.

    Args:
        data: which set, and where.
        model: says the image size, channels and timesteps the images are brought to.
        seed: of the held-out choice.
        known: classes of a checkpoint, in whose order labels are numbered; None: the data set's own
            order.

    Raises:
        DataError: nothing is there, or it is not laid out as documented.
    """
    return hold_out(_LOADERS[data.name](data, model, known), data.validation_fraction, seed)
