"""`python -m train recipes`."""

from __future__ import annotations

from spikehalt.console import say
from train.cli.console import nothing_left
from train.recipes import recipe_names


def recipes_command(arguments: list[str]) -> int:
    """List the recipes that ship with the package."""
    nothing_left(arguments)
    for name in recipe_names():
        say(name)
    return 0
