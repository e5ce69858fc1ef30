"""Images in a folder or a zip, as `train/<class>/…`, `val/<class>/…` and `test/<class>/…`."""

from __future__ import annotations

import numpy as np
import torch

from spikehalt.datasets.names import IMAGE_SUFFIXES
from train.config import DataConfig, ModelConfig
from train.data.base import Dataset, ImageSource, Split
from train.data.classes import Known
from train.data.files import Entry, Listing, find_files, make_listing, read_all
from train.data.images import decode_image
from train.data.stream import StreamSplit


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
    parts = (listing.train, listing.validation, listing.test)
    train, validation, test = (_split(listing, part, data, model) for part in parts)
    return Dataset(train, validation, test, listing.classes)


def _split(
    listing: Listing, entries: list[Entry], data: DataConfig, model: ModelConfig
) -> ImageSource:
    labels = listing.labels(entries)
    if data.stream:
        names = [entry.name for entry in entries]
        return StreamSplit(listing.path, names, labels, decode_image, data, model)
    images = np.empty((len(entries), model.channels, *model.image_size), np.uint8)
    contents = zip(entries, read_all(listing.path, entries), strict=True)
    for row, (entry, content) in enumerate(contents):
        images[row] = decode_image(content, entry.name, data, model)
    return Split(torch.from_numpy(images), labels)
