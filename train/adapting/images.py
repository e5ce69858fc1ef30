"""Images without labels, files of any folder or zip, as a checkpoint's network takes them."""

from __future__ import annotations

import torch

from train.checkpoint import Checkpoint
from train.data import unlabelled
from train.data.base import Split


def load_unlabelled(path: str, checkpoint: Checkpoint, count: int) -> Split:
    """At most `count` images or event frames, spread evenly over the sorted files; labels are 0.

    Of a data set with a training part, the training files alone.

    Raises:
        DataError: there is none, or a file cannot be read.
    """
    images = unlabelled.load_unlabelled(
        path, checkpoint.model, checkpoint.preprocessing, count, training_part=True
    )
    return Split(images, torch.zeros(len(images), dtype=torch.int64))
