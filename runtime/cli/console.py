"""What commands write: tables and JSON on stdout, errors, notes and progress on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def write_json(data: Any) -> None:
    """One JSON document on stdout; letters are escaped where stdout might not have them."""
    encoding = str(getattr(sys.stdout, "encoding", None) or "")
    escaped = not encoding.lower().startswith("utf")
    sys.stdout.write(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=escaped) + "\n")


def write_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], footer: str = ""
) -> None:
    """A table on stdout; columns whose name starts with ">" are right-aligned.

    Where rich is not installed the same text stands in plain columns.
    """
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        sys.stdout.write(plain_table(title, columns, rows, footer))
        return
    table = Table(title=escape(title), title_justify="left", caption_justify="left")
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    table.caption = escape(footer) or None
    Console(width=_width()).print(table)


def plain_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], footer: str = ""
) -> str:
    """The text of a table as aligned columns; see `write_table`."""
    names = [column.lstrip(">") for column in columns]
    lines = [names, *map(list, rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    aligned = [
        "  ".join(
            cell.rjust(width) if column.startswith(">") else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    ]
    aligned.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([title, *aligned, *([footer] if footer else [])]) + "\n"


def _width() -> int | None:
    """The terminal's width; a file or a pipe has none and gets room for every column."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160


def write_note(text: str) -> None:
    """A remark about the run: one line on stderr."""
    sys.stderr.write(f"note: {_one_line(text)}\n")


def write_error(error: object) -> None:
    """What went wrong: one line on stderr."""
    sys.stderr.write(f"error: {_one_line(str(error))}\n")


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines())


def progress(items: Iterable[T], total: int, what: str, steps: Iterable[int]) -> Iterator[T]:
    """Yield `items` under a progress bar on stderr, where rich is installed.

    Args:
        items: what to yield.
        total: where the bar ends.
        what: text beside it.
        steps: how far each item advances the bar.
    """
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield from items
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        for item, step in zip(items, steps, strict=False):
            yield item
            bar.advance(task, step)
