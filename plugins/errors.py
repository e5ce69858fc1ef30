"""What `plugins` raises on purpose.

PluginError
├── OpInputError     arrays that an op's contract does not allow (also a ValueError)
├── OpAttributeError attributes that an op's contract does not allow (also a ValueError)
├── KernelError      a kernel function returned an error code
├── NoDeviceError    there is no NVIDIA GPU, or no driver for it
├── LibraryError     a compiled library is missing, or is not ours
├── WrongSettingError  an argument or an environment variable names something unusable
├── BuildError       a library could not be built
│   └── MissingToolError  because a tool is not installed
└── RegistryError    TensorRT does not have our plugins after loading
"""

from __future__ import annotations

from spikehalt.errors import ConfigError, SpikehaltError


class PluginError(SpikehaltError):
    """Base of the errors of this package; the message says what to do."""


class OpInputError(PluginError, ValueError):
    """Arrays that an op's contract does not allow."""


class KernelError(PluginError):
    """A kernel function returned an error code."""


class NoDeviceError(PluginError):
    """There is no NVIDIA GPU, or no driver for it."""


class LibraryError(PluginError):
    """A compiled library is missing, or is not one of this project."""


class WrongSettingError(PluginError, ConfigError):
    """An argument or an environment variable names something that cannot be used."""


class BuildError(PluginError):
    """A library could not be built.

    Args:
        message: the sentence.
        output: what the tool wrote last, for people to read before the sentence.
    """

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class MissingToolError(BuildError):
    """A library could not be built because a tool is not installed."""


class RegistryError(PluginError):
    """TensorRT's registry does not hold our plugins after loading them."""
