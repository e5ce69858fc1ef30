"""Exit statuses, the same for all commands (CONTRIBUTING.md)."""

from __future__ import annotations

import sys
from collections.abc import Callable

from runtime.cli.console import write_error

DONE, NEGATIVE, FAILED, STOPPED = 0, 1, 2, 130


def status_of(command: Callable[[], int], errors: tuple[type[Exception], ...]) -> int:
    """Run a command; returns its exit status, or that of what ended it.

    Args:
        command: returns 0, or 1 where its verdict is negative.
        errors: that are told in one line; others are defects and pass.
    """
    try:
        status = command()
        sys.stdout.flush()  # a reader that is gone shows here, not while Python ends
    except errors as error:
        write_error(error)
        return FAILED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return DONE
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return STOPPED
    return status
