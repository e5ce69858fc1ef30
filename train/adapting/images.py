"""Images without labels, files of any folder or zip, as a checkpoint's network takes them."""

from __future__ import annotations

import numpy as np
import torch

from spikehalt.datasets import pixels
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.listing import list_files
from spikehalt.datasets.names import FRAME_SUFFIXES, IMAGE_SUFFIXES
from spikehalt.datasets.sampling import spread
from spikehalt.datasets.splits import places
from train.checkpoint import Checkpoint
from train.config import DataConfig
from train.data.base import Split
from train.data.events import decode_events
from train.data.files import Entry
from train.data.unreadable import decode_all
from train.errors import DataError


def load_unlabelled(path: str, checkpoint: Checkpoint, count: int) -> Split:
    """At most `count` images or event frames, spread evenly over the sorted files; labels are 0.

    Of a data set with a training part, the training files alone.

    Raises:
        DataError: there is none, or a file cannot be read.
    """
    model = checkpoint.model
    frames = model.input == "frames"
    with raised_as(DataError):
        names = list_files(path, FRAME_SUFFIXES if frames else IMAGE_SUFFIXES).files
    wanted = spread(_training(names), count)
    if not wanted:
        kind = ".npz files of event frames" if frames else "image files"
        raise DataError(f"{path} holds no {kind}; give a folder or zip of them")

    def decode(content: bytes, name: str) -> np.ndarray:
        if frames:
            return decode_events(content, name, DataConfig(name="events", path=path), model)
        with raised_as(DataError):
            found = pixels.decode_image(
                content, name, model.image_size, model.channels, checkpoint.preprocessing
            )
        return found.transpose(2, 0, 1)

    shape = (model.timesteps, model.channels) if frames else (model.channels,)
    into = np.empty((len(wanted), *shape, *model.image_size), np.float32 if frames else np.uint8)
    entries = [Entry("train", "", name) for name in wanted]
    labels = torch.zeros(len(wanted), dtype=torch.int64)
    return decode_all(path, entries, labels, into, decode, 0.0)


def _training(names: tuple[str, ...]) -> list[str]:
    """Files of the training part, all of them where there is none."""
    pairs = list(zip(names, places(names), strict=True))
    return [name for name, place in pairs if place.split == "train"] or list(names)
