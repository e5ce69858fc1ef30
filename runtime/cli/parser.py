"""Arguments whose mistakes are told as every other error is: in one line, with exit status 2."""

from __future__ import annotations

import argparse
from typing import NoReturn

from runtime.cli.console import write_error


class Parser(argparse.ArgumentParser):
    """argparse without the usage, of many lines, in front of its errors."""

    def error(self, message: str) -> NoReturn:
        """Name the mistake and where the arguments are listed, and leave."""
        write_error(f"{message}; {self.prog} --help lists the arguments")
        self.exit(2)
