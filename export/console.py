"""What the commands print: plain lines, never wrapped, square brackets as they are."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

console = Console()


def say(text: str) -> None:
    """Print text as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def complain(what: str, text: object) -> None:
    """Print text behind a red heading."""
    console.print(f"[red]{escape(what)}:[/] {escape(str(text))}", highlight=False, soft_wrap=True)
