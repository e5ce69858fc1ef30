"""Exceptions that have an HTTP status."""

from __future__ import annotations

from http import HTTPStatus

from spikehalt.errors import SpikehaltError


class RequestError(SpikehaltError):
    """A request that is answered with an error.

    Args:
        status: of the answer.
        message: one sentence for the client.
        retry_after_s: when trying again makes sense; None: not said.
    """

    def __init__(
        self, status: HTTPStatus, message: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.retry_after_s = status, retry_after_s
