"""Images in a folder or a zip, as `train/<class>/…` and `test/<class>/…` or `val/<class>/…`."""

from __future__ import annotations

import numpy as np
import torch

from train.config import DataConfig, ModelConfig
from train.data.base import Dataset, ImageSource, Split, without_validation
from train.data.files import IMAGE_SUFFIXES, Entry, Listing, list_files, make_listing, read_all
from train.data.images import decode_image
from train.data.stream import StreamSplit


def load_folder(data: DataConfig, model: ModelConfig) -> Dataset:
    """Every image, in the model's size and channels; resident, or streamed if so configured.

    Returns:
        uint8 [N, C, H, W] per split; classes are the sorted folder names under `train/`.

    Raises:
        DataError: the path is missing, holds no images in that layout, or a file is not an image.
    """
    entries = list_files(data.path, IMAGE_SUFFIXES)
    return load_images(make_listing(data.path, entries, model), data, model)


def load_images(listing: Listing, data: DataConfig, model: ModelConfig) -> Dataset:
    """The images of a listing."""
    train, test = (_split(listing, part, data, model) for part in (listing.train, listing.test))
    return without_validation(train, test, listing.classes)


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
