"""Errors that `train` raises on purpose, besides `spikehalt.errors.ConfigError`.

TrainError
├── CheckpointError   a checkpoint file that cannot be used
├── DataError         a data set that cannot be read
└── DivergedError     the loss is no longer a finite number
"""

from __future__ import annotations

from spikehalt.errors import SpikehaltError


class TrainError(SpikehaltError):
    """Base of the errors of training."""


class CheckpointError(TrainError):
    """A checkpoint file is not ours, truncated, or from a newer version."""


class DataError(TrainError):
    """A data set is missing, empty, or not laid out as documented."""


class DivergedError(TrainError):
    """The loss is no longer a finite number."""
