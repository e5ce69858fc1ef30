"""What the commands write: what was asked for on stdout, errors and progress on stderr."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """argparse without the usage, of many lines, in front of its errors."""

    def error(self, message: str) -> NoReturn:
        """Name the mistake and where the arguments are listed, and leave."""
        complain(f"{message}; {self.prog} --help lists the arguments")
        self.exit(2)


def say(line: str) -> None:
    """Write a line of what was asked for."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Write a remark about the run."""
    sys.stderr.write(f"note: {line}\n")


def complain(error: object) -> None:
    """Write what went wrong, in one line."""
    text = " ".join(line.strip() for line in str(error).splitlines())
    sys.stderr.write(f"error: {text}\n")


def print_whatever_the_encoding() -> None:
    """Let characters that stdout's encoding lacks become question marks."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # a replaced stdout may have none
    if reconfigure is not None:
        reconfigure(errors="replace")
