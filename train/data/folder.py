"""Images in a folder or a zip, as `train/<class>/…`, `val/<class>/…` and `test/<class>/…`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikehalt.datasets.names import IMAGE_SUFFIXES
from train.config import DataConfig, ModelConfig
from train.data.base import Dataset, ImageSource
from train.data.classes import Known
from train.data.files import Entry, Listing, find_files, make_listing
from train.data.images import decode_image
from train.data.stream import StreamSplit
from train.data.unreadable import decode_all


def load_folder(data: DataConfig, model: ModelConfig, known: Known | None = None) -> Dataset:
    """Every image, in the model's size and channels; resident, or streamed if so configured.

    Returns:
        uint8 [N, C, H, W] per split; classes are the known ones, or else the sorted folder names
        under `train/`. Parts that the data set lacks are empty.

    Raises:
        DataError: the path is missing, holds no images in that layout, or a file is not an image.
    """
    files = find_files(data.path, IMAGE_SUFFIXES)
    return load_images(make_listing(files, model, known), data, model)


def load_images(listing: Listing, data: DataConfig, model: ModelConfig) -> Dataset:
    """The images of a listing."""
    strict = replace(data, skip_unreadable=0.0)
    return Dataset(
        _split(listing, listing.train, data, model),
        _split(listing, listing.validation, strict, model),
        _split(listing, listing.test, strict, model),
        listing.classes,
    )


def _split(
    listing: Listing, entries: list[Entry], data: DataConfig, model: ModelConfig
) -> ImageSource:
    labels = listing.labels(entries)
    if data.stream:
        names = [entry.name for entry in entries]
        return StreamSplit(listing.path, names, labels, decode_image, data, model)
    images = np.empty((len(entries), model.channels, *model.image_size), np.uint8)

    def decode(content: bytes, name: str) -> np.ndarray:
        return decode_image(content, name, data, model)

    return decode_all(listing.path, entries, labels, images, decode, data.skip_unreadable)
