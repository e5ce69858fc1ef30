"""Pieces of the report's HTML that several sections use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from runtime.drawing.numbers import readable

SHARE_DIGITS = 4  # of accuracies and other shares of images
DIGITS = 3  # of everything measured or estimated


def figure(
    key: str, value: float | None, reason: str = "", times: float = 1.0, digits: int = DIGITS
) -> str:
    """A number with its place in the data, perhaps in another unit; or why there is none."""
    if value is None:
        return f'<span class="none" title="{escape(reason)}">unknown</span>'
    factor = "" if times == 1.0 else f' data-times="{times:g}"'
    shown = readable(value if times == 1.0 else times * value, digits)
    return f'<span data-key="{escape(key)}"{factor}>{shown}</span>'


def section(title: str, content: str) -> str:
    """A part of the page under a heading."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>\n"


def why(data: dict[str, Any], name: str) -> str:
    """The reason that `collect` gave for something that is None."""
    return str(data["reasons"].get(name, "not measured"))


def absent(data: dict[str, Any], name: str) -> str:
    """A paragraph in the place of what cannot be shown."""
    return f'<p class="none">Not shown: {escape(why(data, name))}</p>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML cells, the first of every row its name; wide ones scroll by themselves."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    )
    return f'<div class="scroll"><table class="figures"><tr>{top}</tr>{body}</table></div>'


def pairs(rows: Iterable[Sequence[str]]) -> str:
    """A table of names and values, both plain text."""
    body = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows
    )
    return f'<div class="scroll"><table class="identity">{body}</table></div>'


def charts(drawn: Iterable[str]) -> str:
    """Charts side by side where the window has room."""
    return f'<div class="charts">{"".join(drawn)}</div>'


def gaps(missing: Iterable[tuple[str, str]]) -> str:
    """What is not shown, each reason once: pairs of a label and its reason."""
    by_reason: dict[str, list[str]] = {}
    for label, reason in missing:
        by_reason.setdefault(reason, []).append(label)
    return "".join(
        f'<p class="none">{escape(", ".join(labels))}: {escape(reason)}</p>'
        for reason, labels in by_reason.items()
    )
