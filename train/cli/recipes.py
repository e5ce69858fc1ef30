"""`python -m train recipes`: list the recipes that ship with the package."""

from __future__ import annotations

import argparse

from spikehalt.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes none."""


def run(arguments: argparse.Namespace) -> int:
    """List them, one name per line."""
    from train.recipes import recipe_names

    for name in recipe_names():
        say(name)
    return 0
