"""Images without labels, of a folder or zip however it is laid out: to measure statistics on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.listing import list_files
from spikehalt.datasets.names import FRAME_SUFFIXES, IMAGE_SUFFIXES
from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.datasets.sampling import spread
from spikehalt.datasets.splits import places
from spikehalt.strict import to_dict
from train.config import DataConfig, ModelConfig
from train.data.events import decode_events
from train.data.images import decode_image
from train.errors import DataError


def load_unlabelled(
    path: str,
    model: ModelConfig,
    preprocessing: Preprocessing,
    most: int,
    *,
    training_part: bool = False,
) -> Tensor:
    """At most so many images or samples of event frames, spread over all.

    Args:
        path: the folder or zip.
        model: whose size, channels and timesteps they get.
        preprocessing: what is done to image files.
        most: how many are taken.
        training_part: of a data set that has one, take training files alone.

    Returns:
        uint8 [N, C, H, W], or frames float32 [N, T, C, H, W].

    Raises:
        DataError: there are none, or one cannot be read.
    """
    frames = model.input == "frames"
    with raised_as(DataError):
        listing = list_files(path, FRAME_SUFFIXES if frames else IMAGE_SUFFIXES)
    if not listing.files:
        kind = ".npz event frames" if frames else "image files"
        raise DataError(f"{path} holds no {kind}; give a folder or zip of them")
    data = DataConfig(**to_dict(preprocessing))
    decode = decode_events if frames else decode_image
    found = []
    names = _training(listing.files) if training_part else list(listing.files)
    for name in spread(names, most):
        with raised_as(DataError):
            content = listing.read(name)
        found.append(decode(content, listing.path(name), data, model))
    return torch.from_numpy(np.stack(found))


def _training(names: tuple[str, ...]) -> list[str]:
    """Files of the training part, all of them where there is none."""
    pairs = list(zip(names, places(names), strict=True))
    return [name for name, place in pairs if place.split == "train"] or list(names)
