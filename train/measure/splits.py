"""The images that a checkpoint was trained on."""

from __future__ import annotations

from dataclasses import replace

from spikehalt.errors import ConfigError
from spikehalt.strict import build
from train.checkpoint import Checkpoint
from train.config import DataConfig, TrainConfig
from train.config.data import STREAMED
from train.data import Dataset, ImageSource, Known, a_few, load_data
from train.data.once import ReadOnce
from train.errors import DataError


def checkpoint_data(checkpoint: Checkpoint, path: str = "") -> Dataset:
    """The images that a checkpoint was trained on, split as they were then.

    Files of images are read when a batch of their part is first asked for.

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
    if not _can_wait(config.data):
        return load_data(config.data, checkpoint.model, config.seed, known)
    later = replace(config.data, stream=True, workers=0)
    data = load_data(later, checkpoint.model, config.seed, known)
    train, validation, test = map(ReadOnce, (data.train, data.validation, data.test))
    return Dataset(train, validation, test, data.classes)


def _can_wait(data: DataConfig) -> bool:
    """Whether the split is the same before files are read, as where none may be left out."""
    return data.name in STREAMED and not data.stream and data.skip_unreadable == 0


def part_of(data: Dataset, split: str, count: int | None = None) -> ImageSource:
    """The images of one split, `test` or `validation`.

    Args:
        data: whose.
        split: which.
        count: at most so many, spread over all classes; None = all.

    Raises:
        DataError: the data set has none; what it has is named.
    """
    part: ImageSource = getattr(data, split)
    if len(part):
        return part if count is None else part.take(a_few(part, count))
    other = "validation" if split == "test" else "test"
    count = len(getattr(data, other))
    there = f"; it has {count} for --split {other}" if count else ""
    raise DataError(f"the data set has no {split} images{there}")
