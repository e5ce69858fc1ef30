"""The root of every exception that this project raises on purpose, and those that all parts share.

    SpikehaltError
    ├── ConfigError           an option out of range or unknown (also a ValueError)
    ├── OutOfMemoryError      the device or the machine has no memory left
    ├── MissingExtraError     an optional package is not installed, or cannot be loaded
    ├── OutputError           what was asked for cannot be written
    ├── train.errors.TrainError      training
    ├── export.errors.ExportError    export
    ├── plugins.errors.PluginError   op libraries
    └── …                            the runtime's, drawn in runtime.errors

A message says what was wrong, what exists, and what to do next, in one line.
"""

from __future__ import annotations


class SpikehaltError(Exception):
    """Base of every exception this project raises on purpose."""


class ConfigError(SpikehaltError, ValueError):
    """An option is out of range or unknown."""


class OutOfMemoryError(SpikehaltError):
    """The device or the machine has no memory left."""


class MissingExtraError(SpikehaltError):
    """An optional package is not installed, or is installed and cannot be loaded."""


class OutputError(SpikehaltError):
    """What was asked for cannot be written; what was there before is intact."""
