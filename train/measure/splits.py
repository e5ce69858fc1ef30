"""The images that a checkpoint was trained on."""

from __future__ import annotations

from spikehalt.errors import ConfigError
from spikehalt.strict import build
from train.checkpoint import Checkpoint
from train.config import TrainConfig
from train.data import Dataset, load_data


def checkpoint_data(checkpoint: Checkpoint, path: str = "") -> Dataset:
    """The images that a checkpoint was trained on, split as they were then.

    Args:
        checkpoint: whose.
        path: the folder or zip, where it is not the one of the training.

    Raises:
        ConfigError: imported weights know of no images.
    """
    if not checkpoint.run:
        raise ConfigError(
            "imported weights were trained on unknown images; train or fine-tune first"
        )
    run = dict(checkpoint.run)
    if path:
        run["data"] = {**run["data"], "path": path}
    config = build(TrainConfig, run)
    return load_data(config.data, checkpoint.model, config.seed)
