"""What a server logs: one line a message, of which no letter acts on a terminal."""

from __future__ import annotations

import logging
from types import TracebackType

from spikehalt.console import one_line, visible

_Problem = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(logging.Formatter):
    """Names of bundles are others' text, which could otherwise fake lines of the log."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line without the traceback, if there is one."""
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _Problem) -> str:  # noqa: N802  # logging's name
        """The traceback, in lines of its own."""
        return "\n".join(map(visible, super().formatException(ei).split("\n")))
