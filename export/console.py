"""What the commands print: plain lines, never wrapped, square brackets as they are.

That is what was asked for, on stdout; errors and notes go to stderr (`runtime.cli.console`).
"""

from __future__ import annotations

from rich.console import Console

console = Console()


def say(text: str) -> None:
    """Print text as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
