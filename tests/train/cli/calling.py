"""`python -m train …` within this process."""

from __future__ import annotations

from train.cli import main


def call(arguments: list[str]) -> int:
    """The exit status, also of arguments that the parser refuses."""
    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
