"""Image files to pixels."""

from __future__ import annotations

import numpy as np

from spikehalt.datasets import pixels
from spikehalt.datasets.errors import raised_as
from train.config import DataConfig, ModelConfig
from train.errors import DataError


def decode_image(content: bytes, name: str, data: DataConfig, model: ModelConfig) -> np.ndarray:
    """An image file to uint8 [C, H, W] in the model's size and channels.

    Raises:
        DataError: it is not a readable image.
    """
    with raised_as(DataError):
        found = pixels.decode_image(
            content, name, model.image_size, model.channels, data.preprocessing
        )
    return found.transpose(2, 0, 1)
