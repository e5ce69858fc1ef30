"""Scikit-learn's scanned digits: 1,797 real 8 x 8 grey images that ship inside a package."""

from __future__ import annotations

import torch

from train.config import DataConfig, ModelConfig
from train.data.base import Dataset, Split, without_validation
from train.data.classes import Known, label_order, renumber
from train.errors import DataError

_TEST_EVERY = 5  # every fifth image is a test image


def load_digits(data: DataConfig, model: ModelConfig, known: Known | None = None) -> Dataset:
    """Digits as uint8 [N, 1, 8, 8], pixel values 0..240; every fifth image is for testing."""
    from sklearn import datasets

    if (model.image_size, model.channels) != ((8, 8), 1):
        raise DataError(
            "the digits are 8 x 8 pixels with one channel; set model.image_size=[8, 8] and "
            f"model.channels=1 (got {list(model.image_size)} and {model.channels})"
        )
    raw = datasets.load_digits()
    images = torch.from_numpy(raw.images * 15).to(torch.uint8).unsqueeze(1)
    own = tuple(str(name) for name in raw.target_names)
    classes = label_order(own, model, "the digits data set", known)
    labels = renumber(torch.from_numpy(raw.target).long(), own, classes)
    test = torch.arange(len(labels)) % _TEST_EVERY == 0
    return without_validation(
        Split(images[~test], labels[~test]), Split(images[test], labels[test]), classes
    )
