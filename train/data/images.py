"""Image files to pixels."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from train.config import DataConfig, ModelConfig
from train.errors import DataError


def decode_image(content: bytes, name: str, data: DataConfig, model: ModelConfig) -> np.ndarray:
    """An image file to uint8 [C, H, W] in the model's size and channels.

    Raises:
        DataError: it is not a readable image.
    """
    height, width = model.image_size
    try:
        image: Image.Image = Image.open(io.BytesIO(content))
        image = image.convert("L" if model.channels == 1 else "RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise DataError(f"{name} is not a readable image ({error})") from None
    if image.size != (width, height):
        bilinear = Image.Resampling.BILINEAR
        if data.fit == "crop":
            image = ImageOps.fit(image, (width, height), bilinear)
        else:
            image = image.resize((width, height), bilinear)
    pixels = np.asarray(image, np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
