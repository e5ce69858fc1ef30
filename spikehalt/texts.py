"""Text of others where it would act: in spreadsheets, in charts, in names of files."""

from __future__ import annotations

from spikehalt.console import visible

_FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four full-width
_LONGEST_NAME = 200  # bytes; most file systems take 255, of which something else needs a part


def cell(text: str) -> str:
    """The text as a spreadsheet shows it: what begins a formula stands behind an apostrophe.

    Control characters, line ends among them, are visible escapes. Where a program is to read names
    exactly, give it JSON.
    """
    shown = visible(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULAS) else shown


def label(text: str) -> str:
    """The text as matplotlib shows it, which takes what stands between dollars for a formula."""
    return "\n".join(map(visible, text.split("\n"))).replace("$", r"\$")


def short_name(name: str) -> str:
    """The beginning of a file's name that leaves room for more, not cut inside of a letter."""
    return name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
