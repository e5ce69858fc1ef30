"""The one row and the one table that every benchmark prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import rich.table
from rich.console import Console
from rich.markup import escape

from benchmarks.common.figures import ratio

WIDTH = 150  # a table is useless when it is cut

console = Console()
console.width = max(console.width, WIDTH)


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: of the candidate.
        figures: what was measured, by name, units in the names; None where it could not be.
        what: the candidate in words; its name where empty.
        failed: why there are no figures; None where there are.
    """

    name: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    what: str = ""
    failed: str | None = None

    def __getitem__(self, figure: str) -> float:
        """A figure that is a number.

        Raises:
            KeyError: the row has no such figure, or it was not measured.
        """
        value = self.figures.get(figure)
        if value is None:
            known = ", ".join(self.figures) or "none"
            raise KeyError(f"{self.name} has no figure {figure!r}; it has {known}")
        return float(value)

    @property
    def reason(self) -> str:
        """Why there are no figures of this candidate, in one line."""
        return f"{self.what or self.name}: {self.failed}"

    def plain(self) -> dict[str, Any]:
        """For a JSON file."""
        return {"name": self.name, "what": self.what, **self.figures, "failed": self.failed}


@dataclass(frozen=True)
class Column:
    """One column: its title, and its text in a row.

    Attributes:
        title: above it.
        shown: the cell of a row.
        text: it holds words: left-aligned, and wrapped where the table is too wide.
    """

    title: str
    shown: Callable[[Row], str]
    text: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the rows that have figures; the others have their reasons under it."""

    title: str
    columns: Sequence[Column]
    caption: str = ""

    def cells(self, row: Row) -> list[str]:
        """What stands in a row that has figures."""
        return [column.shown(row) for column in self.columns]

    def print(self, rows: Sequence[Row]) -> None:
        """Write it to standard output."""
        drawn = rich.table.Table(title=escape(self.title), caption=escape(self.caption) or None)
        for column in self.columns:
            justify: Any = "left" if column.text else "right"
            drawn.add_column(escape(column.title), justify=justify, no_wrap=not column.text)
        for row in rows:
            if row.failed is None:
                drawn.add_row(*map(escape, self.cells(row)))
        console.print(drawn)
        for row in rows:
            if row.failed is not None:
                console.print(f"  {row.reason}", highlight=False, markup=False, soft_wrap=True)


def words(title: str, figure: str = "") -> Column:
    """A column of text: a figure that is one, or the candidate in words."""
    if figure:
        return Column(title, lambda row: str(row.figures[figure]), text=True)
    return Column(title, lambda row: row.what or row.name, text=True)


def number(title: str, figure: str, how: str = ".2f", scale: float = 1.0) -> Column:
    """A column of numbers; empty where one was not measured.

    Args:
        title: above it.
        figure: which.
        how: format specification.
        scale: what the figure is multiplied with before it is shown.
    """

    def shown(row: Row) -> str:
        return "" if row.figures.get(figure) is None else format(row[figure] * scale, how)

    return Column(title, shown)


def images_per_s(figure: str, how: Callable[[Row], str]) -> Column:
    """Images per second, from milliseconds per image; `how` gives the format for a row."""
    return Column("images/s", lambda row: format(1e3 / row[figure], how(row)))


def gain(title: str, rows: Sequence[Row], base: str, figure: str) -> Column:
    """How many times less a row needs than the one named `base`; empty where that has no figure."""
    of_base = next((row.figures.get(figure) for row in rows if row.name == base), None)

    def shown(row: Row) -> str:
        found = ratio(of_base, row.figures.get(figure))
        return "" if found is None else f"{found:.2f}"

    return Column(title, shown)
