"""One convention for all command lines (CONTRIBUTING.md): parser and exit statuses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from spikehalt import console
from spikehalt.errors import SpikehaltError

DONE, NEGATIVE, FAILED, STOPPED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """argparse without the usage, of many lines, in front of its errors."""

    def error(self, message: str) -> NoReturn:
        """Name the mistake and where the arguments are listed, and leave."""
        console.error(f"{message}; {self.prog} --help lists the arguments")
        self.exit(FAILED)


def run(command: Callable[[], int], *, stopped: str = "stopped") -> int:
    """Run a command; returns its exit status, or that of what ended it.

    Args:
        command: returns 0, or 1 where its verdict is negative.
        stopped: what Ctrl-C leaves behind, in words.
    """
    console.print_whatever_the_encoding()
    try:
        status = command()
        sys.stdout.flush()  # a reader that is gone shows here, not while Python ends
    except SpikehaltError as error:
        console.error(error)
        return FAILED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return DONE
    except KeyboardInterrupt:
        sys.stderr.write(f"{stopped}\n")
        return STOPPED
    return status
