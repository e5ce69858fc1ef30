from __future__ import annotations

import pytest
import torch

from tests.train.samples import tiny_model
from train.config import DataConfig
from train.data import load_data
from train.errors import DataError


def test_splits_are_disjoint_balanced_and_the_same_for_a_seed() -> None:
    data = load_data(DataConfig(), tiny_model(), seed=3)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1293, 144, 360]
    assert data.train.images.shape[1:] == (1, 8, 8) and data.train.images.dtype == torch.uint8
    assert int(data.train.images.max()) == 240
    shares = torch.bincount(data.test.labels) / len(data.test)
    assert shares.min() > 0.05 and data.classes == tuple("0123456789")
    again = load_data(DataConfig(), tiny_model(), seed=3)
    assert torch.equal(again.validation.images, data.validation.images)
    other = load_data(DataConfig(), tiny_model(), seed=4)
    assert not torch.equal(other.validation.images, data.validation.images)
    assert torch.equal(other.test.images, data.test.images)


def test_another_image_size_is_refused() -> None:
    with pytest.raises(DataError, match=r"set model.image_size=\[8, 8\] and model.channels=1"):
        load_data(DataConfig(), tiny_model(image_size=(16, 16)), seed=0)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"has 10 classes, .* configured for 7; set model.classes=10"
    ):
        load_data(DataConfig(), tiny_model(classes=7), seed=0)
