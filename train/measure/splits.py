"""The images that a checkpoint was trained on."""

from __future__ import annotations

from spikehalt.errors import ConfigError
from spikehalt.strict import build
from train.checkpoint import Checkpoint
from train.config import TrainConfig
from train.data import Dataset, ImageSource, Known, load_data
from train.errors import DataError


def checkpoint_data(checkpoint: Checkpoint, path: str = "") -> Dataset:
    """The images that a checkpoint was trained on, split as they were then.

    Args:
        checkpoint: whose.
        path: the folder or zip, where it is not the one of the training.

    Raises:
        ConfigError: imported weights name no training images.
        DataError: the images have classes that the checkpoint does not know.
    """
    if not checkpoint.run:
        raise ConfigError(
            "imported weights were trained on unknown images; train or fine-tune first"
        )
    run = dict(checkpoint.run)
    if path:
        run["data"] = {**run["data"], "path": path}
    config = build(TrainConfig, run)
    known = Known(checkpoint.classes, partial=True)
    return load_data(config.data, checkpoint.model, config.seed, known)


def part_of(data: Dataset, split: str) -> ImageSource:
    """The images of one split, `test` or `validation`.

    Raises:
        DataError: the data set has none; what it has is named.
    """
    part: ImageSource = getattr(data, split)
    if len(part):
        return part
    other = "validation" if split == "test" else "test"
    count = len(getattr(data, other))
    there = f"; it has {count} for --split {other}" if count else ""
    raise DataError(f"the data set has no {split} images{there}")
