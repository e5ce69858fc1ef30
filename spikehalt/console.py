"""What commands write: what was asked for on stdout; errors, notes and progress on stderr.

Under torchrun every process runs the command, and only the first one speaks. Where there is no
stdout (services, `>&-`) nobody listens, and nothing is written; where it is full, an OutputError
ends the command. What stderr cannot take is lost. Text of others (names of files and classes,
manifests) cannot act on a terminal, in a spreadsheet or in a chart.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO, TypeVar

from spikehalt.errors import OutputError

T = TypeVar("T")

_FILE_COLUMNS = 160  # a file or a pipe has no width, and gets room for every column
_MOST_COLUMNS = 10_000
_LEAST_PER_COLUMN = 8
# C0 and C1 controls, separators of lines, marks that reverse text, and what is no character.
_BEYOND = "\x7f-\x9f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[\x00-\x1f{_BEYOND}]")
_FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four full-width
_UNPRINTABLE_IN_JSON = re.compile(f"[{_BEYOND}]")  # C0 is escaped there already


class ReaderGone(Exception):  # noqa: N818  # no error: nobody wants more
    """Who reads stdout, such as `head`, has seen enough."""


def speaks() -> bool:
    """Whether this process is the one that writes: the first of those that train together.

    torchrun numbers them all; those of `devices` on one machine have a local number alone.
    """
    rank = os.environ.get("RANK") or os.environ.get("LOCAL_RANK", "0")
    return rank == "0"


def say(text: str) -> None:
    """A line of what was asked for, or several.

    Raises:
        OutputError: stdout is full, or cannot be written for another reason.
    """
    write("\n".join(visible(line) for line in text.split("\n")) + "\n")


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
        complain(f"note: {one_line(text)}\n")


def error(problem: object) -> None:
    """What went wrong: one line on stderr."""
    complain(f"error: {one_line(str(problem))}\n")


def write(text: str) -> None:
    """Text as it is, on stdout.

    Raises:
        OutputError: stdout is full, or cannot be written for another reason.
        ReaderGone: nobody reads it any more.
    """
    if not speaks() or not _is_open(sys.stdout):
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as gone:
        _drop_what_waits()
        raise ReaderGone from gone
    except OSError as problem:
        _drop_what_waits()
        raise OutputError(f"stdout cannot be written: {problem.strerror}") from problem


def complain(text: str) -> None:
    """Text as it is, on stderr, as far as that takes it."""
    if speaks() and _is_open(sys.stderr):
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def flush() -> None:
    """Write what is still waiting; raises as `write` does."""
    write("")


def _drop_what_waits() -> None:
    """Let what stdout did not take go, so that Python does not try again while it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _is_open(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed


def visible(text: str) -> str:
    """The text with control characters as escapes, which no terminal follows."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """The text without line breaks, its control characters visible."""
    return visible(" ".join(line.strip() for line in text.splitlines()))


def few(names: Sequence[str], most: int) -> str:
    """The first names, with commas, and whether there are more."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def cell(text: str) -> str:
    """The text as a spreadsheet shows it: what begins a formula stands behind an apostrophe.

    Control characters, line ends among them, are visible escapes. Where a program is to read names
    exactly, give it JSON.
    """
    shown = visible(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULAS) else shown


def chart_label(text: str) -> str:
    """The text as matplotlib shows it, which takes what stands between dollars for a formula."""
    return "\n".join(map(visible, text.split("\n"))).replace("$", r"\$")


def write_json(data: Any) -> None:
    """One JSON document, alone on stdout; letters are escaped where stdout might not have them."""
    encoding = str(getattr(sys.stdout, "encoding", None) or "")
    write(json_text(data, ascii_only=not encoding.lower().startswith("utf")))


def json_text(data: Any, *, ascii_only: bool = False) -> str:
    """A JSON document, as it is printed and written to files: no letter of it acts on a terminal.

    Raises:
        ValueError: a number in it is not finite.
    """
    return _inert(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=ascii_only)) + "\n"


def json_line(data: Any) -> str:
    """A JSON document in one line, as `json_text`."""
    return _inert(json.dumps(data, allow_nan=False, ensure_ascii=False)) + "\n"


def _inert(text: str) -> str:
    """JSON whose letters that would act are escaped, which means the same."""
    return _UNPRINTABLE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def write_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], footer: str = ""
) -> None:
    """A table on stdout; columns whose name starts with ">" are right-aligned.

    Where rich is not installed the same text stands in plain columns.
    """
    if not speaks() or not _is_open(sys.stdout):
        return
    title, footer = visible(title), visible(footer)
    cells = [[visible(cell) for cell in row] for row in rows]
    try:
        text = _rich_table(title, columns, cells, footer)
    except ImportError:
        text = plain_table(title, columns, cells, footer)
    write(text)


def _rich_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], footer: str
) -> str:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", caption_justify="left")
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    table.caption = escape(footer) or None
    console = Console(width=table_width(len(columns)))
    with console.capture() as captured:  # rich would end the process by itself on a closed pipe
        console.print(table)
    return captured.get()


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


def table_width(columns: int = 10) -> int:
    """The terminal's width, or what $COLUMNS says, as far as a table can be drawn in it."""
    asked = shutil.get_terminal_size((_FILE_COLUMNS, 24)).columns
    return min(max(asked, _LEAST_PER_COLUMN * columns), _MOST_COLUMNS)


def energy_unit(energy_mj: float) -> tuple[float, str]:
    """By what an energy in mJ is multiplied to be read, and the unit that it then has."""
    size = abs(energy_mj)
    if size >= 1000.0:
        return 1e-3, "J"
    return (1e3, "µJ") if size < 1.0 else (1.0, "mJ")


def energy_text(energy_mj: float | None) -> str:
    """An energy with the unit that fits its size; "unknown" for None."""
    if energy_mj is None:
        return "unknown"
    factor, unit = energy_unit(energy_mj)
    return f"{factor * energy_mj:.4g} {unit}"


def progress(items: Iterable[T], total: int | None, what: str, steps: Iterable[int]) -> Iterator[T]:
    """Yield `items` under a progress bar on stderr, with rate and time left.

    Nothing is shown where stderr is no terminal, rich is not installed, or `--quiet` was given.

    Args:
        items: what to yield.
        total: where the bar ends; None: nobody knows.
        what: text beside it.
        steps: how far each item advances the bar.
    """
    if is_quiet() or not _is_open(sys.stderr) or not sys.stderr.isatty():
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
    """Let letters that an output lacks, such as ε in cp1252, be "?" there, on stderr a code."""
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if _is_open(stream) and hasattr(stream, "reconfigure"):  # a replaced stream may have none
            stream.reconfigure(errors=errors)
