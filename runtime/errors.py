"""Every exception `runtime` raises on purpose, in one tree.

    SpikehaltError
    ├── BundleError                 a bundle on disk cannot be used or written
    │   ├── BundleFormatError       not a bundle, or its manifest says something impossible
    │   ├── BundleVersionError      written by a newer version of the format
    │   ├── BundleIntegrityError    a file is missing, truncated or modified
    │   ├── BundleSignatureError    the manifest is not signed, or not by the key given
    │   └── BundleWriteError        the disk refused; what was there before is intact
    ├── InputError                  images or frames the bundle cannot take (also a ValueError)
    ├── ConfigError                 an option out of range or unknown (also a ValueError)
    │   └── PolicyError             an exit policy this bundle cannot follow
    ├── BackendError                the inference library failed
    │   ├── BackendMissingError     it is not installed, or not in the version needed
    │   ├── DeviceError             it is installed, its device is not there
    │   └── OutOfMemoryError        the device or the machine has no memory left
    ├── CalibrationError            the data cannot support what was promised
    ├── EngineStateError            used after close(), or in a forked child
    └── MissingExtraError           an optional package is not installed

Catching `SpikehaltError` catches them all; exceptions of third parties are mapped to one of these
and kept as `__cause__`.
"""

from __future__ import annotations

from spikehalt import errors
from spikehalt.errors import ConfigError, MissingExtraError, SpikehaltError

__all__ = [
    "BackendError",
    "BackendMissingError",
    "BundleError",
    "BundleFormatError",
    "BundleIntegrityError",
    "BundleSignatureError",
    "BundleVersionError",
    "BundleWriteError",
    "CalibrationError",
    "ConfigError",
    "DeviceError",
    "EngineStateError",
    "InputError",
    "MissingExtraError",
    "OutOfMemoryError",
    "PolicyError",
    "SpikehaltError",
]


class BundleError(SpikehaltError):
    """A bundle on disk cannot be used or written."""


class BundleFormatError(BundleError):
    """Not a bundle, or its manifest says something impossible."""


class BundleVersionError(BundleError):
    """The bundle was written by a newer version of the format."""


class BundleIntegrityError(BundleError):
    """A file of the bundle is missing, truncated or modified."""


class BundleSignatureError(BundleError):
    """The manifest is not signed, or not by the key given."""


class BundleWriteError(BundleError, errors.OutputError):
    """The disk refused; what was there before is intact."""


class InputError(SpikehaltError, ValueError):
    """Images or frames that the bundle cannot take."""


class PolicyError(ConfigError):
    """An exit policy that this bundle cannot follow."""


class BackendError(SpikehaltError):
    """The inference library failed."""


class BackendMissingError(BackendError):
    """The inference library is not installed, or not in the version needed."""


class DeviceError(BackendError):
    """The inference library is installed, but its device is not there."""


class OutOfMemoryError(BackendError, errors.OutOfMemoryError):
    """The device or the machine has no memory left."""


class CalibrationError(SpikehaltError):
    """The data cannot support what was promised."""


class EngineStateError(SpikehaltError):
    """The engine was used after close(), or in a forked child."""
