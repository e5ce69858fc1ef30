"""Errors that `export` raises on purpose.

ExportError
├── UnsupportedError      a combination that cannot be exported, with what to choose instead
├── EngineBuildError      the parser or builder of TensorRT refused a graph
└── TargetMissingError    the library that builds the engines asked for cannot be used here
"""

from __future__ import annotations

from spikehalt.errors import ConfigError, SpikehaltError


class ExportError(SpikehaltError):
    """Base of every error that export raises on purpose."""


class UnsupportedError(ExportError, ConfigError):
    """This combination of model and options cannot be exported."""


class EngineBuildError(ExportError):
    """The parser or builder of TensorRT refused a graph."""


class TargetMissingError(ExportError):
    """The library that builds the engines asked for cannot be used here."""
