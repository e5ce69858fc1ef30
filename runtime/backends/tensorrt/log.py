"""What TensorRT reports as an error, kept for the exception that follows."""

from __future__ import annotations

from types import ModuleType
from typing import Any

MAX_REASONS = 3
# The library's registry keeps the first logger that it was given, as long as any builder or runtime
# lives. It would crash if that logger were freed.
_KEPT: list[Any] = []


class MessageLog:
    """Keeps errors; `logger` is handed to the library.

    Args:
        trt: the module `tensorrt` or `tensorrt_rtx`.
    """

    def __init__(self, trt: ModuleType) -> None:
        self.errors: list[str] = []
        errors, mildest = self.errors, trt.ILogger.ERROR

        class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                # INTERNAL_ERROR is 0, ERROR 1, WARNING 2.
                if int(severity) <= int(mildest):
                    errors.append(message.strip())

        self.logger = Logger()
        _KEPT.append(self.logger)

    def reasons(self) -> str:
        """The first errors as one sentence; forgets them."""
        unique = list(dict.fromkeys(self.errors))[:MAX_REASONS]
        self.errors.clear()
        return "; ".join(unique) or "it gave no reason"
