"""Spiking vision transformers that decide which tokens and how many timesteps an image needs.

    from spikehalt import Engine

    with Engine("ckpt.bundle") as engine:
        result = engine(images)                  # uint8 [B, H, W, C]

The ground that `train`, `export`, `runtime` and `plugins` stand on; of the standard library alone:

    errors      SpikehaltError, the root of all
    console     what commands write, and where
    commands    parser and exit statuses
    strict      JSON or dict to frozen dataclasses
    files       writing so that a crash leaves the old or the new
    extras      optional packages, and the command that brings them
    packages    the other packages, whose names a user's own files may have, and their commands
    ray         many machines
    places      folders of libraries and caches
    reading     what goes wrong with a file, told with its name
    doctor      what works on this machine
    datasets    what is an image, what is skipped, which split is which; decoding
    published   where imported weights come from
    vocabulary  names that several parts use
    exits       exit policies
"""

from __future__ import annotations

from typing import Any

from spikehalt.errors import (
    ConfigError,
    MissingExtraError,
    OutOfMemoryError,
    OutputError,
    SpikehaltError,
)
from spikehalt.extras import switch_off_telemetry as _switch_off_telemetry
from spikehalt.extras import version as _version
from spikehalt.packages.ours import import_ours

_switch_off_telemetry()  # every package of the project imports this one before any library
__all__ = [
    "Bundle",
    "ConfigError",
    "Engine",
    "MissingExtraError",
    "OutOfMemoryError",
    "OutputError",
    "Result",
    "SpikehaltError",
]
_LAZY = ("Bundle", "Engine", "Result")  # of `runtime`, which needs numpy


def __getattr__(name: str) -> Any:
    if name == "__version__":  # the package of metadata takes longer to import than all of this
        return _version()
    if name in _LAZY:
        return getattr(import_ours("runtime"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, "__version__"})
