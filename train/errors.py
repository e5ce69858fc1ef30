"""Errors that `train` raises on purpose; each message says what was wrong and what to do next.

TrainError
├── ConfigError       a configuration key or value that is not valid
├── CheckpointError   a checkpoint file that cannot be used
├── DataError         a data set that cannot be read
├── DivergedError     the loss is no longer a finite number
└── OutOfMemoryError  a batch does not fit
"""

from spikehalt.errors import SpikehaltError


class TrainError(SpikehaltError):
    """Base of every error that training raises on purpose."""


class ConfigError(TrainError, ValueError):
    """A configuration key or value is not valid."""


class CheckpointError(TrainError):
    """A checkpoint file is not ours, truncated, or from a newer version."""


class DataError(TrainError):
    """A data set is missing, empty, or not laid out as documented."""


class DivergedError(TrainError):
    """The loss is no longer a finite number."""


class OutOfMemoryError(TrainError):
    """A batch does not fit into memory; the message names one that does."""
