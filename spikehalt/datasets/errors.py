"""What reading a data set raises; `train` and `runtime` pass it on as errors of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from spikehalt.errors import SpikehaltError


class DataFileError(SpikehaltError):
    """A data set, or a file of one, cannot be read; the message names it."""


@contextlib.contextmanager
def raised_as(kind: type[Exception]) -> Iterator[None]:
    """Let a DataFileError inside the block leave it as a `kind` with the same message."""
    try:
        yield
    except DataFileError as error:
        raise kind(str(error)) from error
