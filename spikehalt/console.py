"""What commands write: what was asked for on stdout; errors, notes and progress on stderr.

Under torchrun every process runs the command, and only the first one speaks.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def speaks() -> bool:
    """Whether this process is the one that writes: the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """A line of what was asked for."""
    if speaks():
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


_quiet = False


def be_quiet(quiet: bool) -> None:
    """Whether notes and progress are left out from now on."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """Whether notes and progress are left out: by `--quiet`, or since another process speaks."""
    return _quiet or not speaks()


def note(text: str) -> None:
    """A remark about the run: one line on stderr."""
    if not is_quiet():
        _complain("note", text)


def error(problem: object) -> None:
    """What went wrong: one line on stderr."""
    _complain("error", str(problem))


def _complain(kind: str, text: str) -> None:
    if speaks():
        sys.stderr.write(f"{kind}: {one_line(text)}\n")


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(line.strip() for line in text.splitlines())


def write_json(data: Any) -> None:
    """One JSON document, alone on stdout; letters are escaped where stdout might not have them."""
    encoding = str(getattr(sys.stdout, "encoding", None) or "")
    if speaks():
        sys.stdout.write(json_text(data, ascii_only=not encoding.lower().startswith("utf")))


def json_text(data: Any, *, ascii_only: bool = False) -> str:
    """A JSON document, as it is printed and written to files.

    Raises:
        ValueError: a number in it is not finite.
    """
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=ascii_only) + "\n"


def write_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], footer: str = ""
) -> None:
    """A table on stdout; columns whose name starts with ">" are right-aligned.

    Where rich is not installed the same text stands in plain columns.
    """
    if not speaks():
        return
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


def progress(items: Iterable[T], total: int | None, what: str, steps: Iterable[int]) -> Iterator[T]:
    """Yield `items` under a progress bar on stderr, with rate and time left.

    Nothing is shown where stderr is no terminal, rich is not installed, or `--quiet` was given.

    Args:
        items: what to yield.
        total: where the bar ends; None: nobody knows.
        what: text beside it.
        steps: how far each item advances the bar.
    """
    if is_quiet() or sys.stderr is None or not sys.stderr.isatty():
        yield from items
        return
    try:
        import rich.progress as bars
        from rich.console import Console
    except ImportError:
        yield from items
        return
    left = (bars.TimeRemainingColumn(), bars.TextColumn("left")) if total is not None else ()
    columns = (bars.TextColumn(what), bars.BarColumn(), bars.MofNCompleteColumn())
    rate = bars.TextColumn("{task.fields[rate]}")
    console = Console(stderr=True)
    with bars.Progress(*columns, rate, *left, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total, rate="")
        for item, step in zip(items, steps, strict=False):
            yield item
            bar.advance(task, step)
            speed = bar.tasks[task].speed
            bar.update(task, rate=f"{speed:,.1f}/s" if speed else "")


def print_whatever_the_encoding() -> None:
    """Let letters that an output's encoding lacks, such as ε in cp1252, become question marks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a replaced stream may have none
        if reconfigure is not None:
            reconfigure(errors="replace")
