"""A CSV file of figures, one row per epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.texts import read_text
from spikehalt.errors import ConfigError
from spikehalt.files import put_file

COLUMNS = (
    "phase",
    "epoch",
    "loss",
    "learning_rate",
    "validation_accuracy",
    "validation_accuracy_t1",
    "average_tokens",
)


def read_log(path: Path, numbers: Sequence[str]) -> list[dict[str, str]]:
    """Every row of a run's log as text by column.

    Args:
        path: the file.
        numbers: columns that must be there and hold numbers.

    Raises:
        ConfigError: the file is no log of a run, or holds no epoch yet.
    """
    no_log = f"{path} is no log of a run; name a run's folder or its log.csv"
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path), newline="")))
    except (DataFileError, csv.Error) as error:
        raise ConfigError(f"{no_log} ({error})") from None
    if not rows:
        raise ConfigError(f"{path} holds no epoch yet; wait until one is done")
    for row in rows:
        wrong = [column for column in numbers if not _is_number(row.get(column))]
        if wrong:
            raise ConfigError(f"{no_log} (no numbers in column {', '.join(wrong)})")
    return rows


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


class CsvLog:
    """Rows of figures in `path`, a file that is complete at every moment.

    Args:
        path: the file.
        keep: keep the rows that are there (a resumed run) or start anew.
        writes: whether this process is the one that writes.

    Raises:
        ConfigError: rows are to be kept of a file that is no log.
        OutputError: the disk refused.
    """

    def __init__(self, path: Path, *, keep: bool, writes: bool = True) -> None:
        self.path = path
        self.writes = writes
        if not writes:
            return
        if not (keep and path.exists()):
            self._rewrite([])
        elif self._header() != list(COLUMNS):
            raise ConfigError(f"{path} is no log of a run; move it away, or name another --out")

    def write(self, **row: object) -> None:
        """Append one row; its keys must be COLUMNS.

        Raises:
            OutputError: the disk refused; the rows before it are intact.
        """
        if self.writes:
            self._rewrite([*self.rows(), row])

    def rows(self) -> list[dict[str, str]]:
        """Every row as text by column."""
        return list(csv.DictReader(io.StringIO(self._text(), newline="")))

    def drop_after(self, phase: str, epoch: int) -> None:
        """Forget rows of `phase` beyond `epoch`: a run that resumes there writes them again."""
        if not self.writes:
            return
        rows = [r for r in self.rows() if r["phase"] != phase or int(r["epoch"]) <= epoch]
        self._rewrite(rows)

    def _header(self) -> list[str]:
        return next(csv.reader(io.StringIO(self._text(), newline="")), [])

    def _text(self) -> str:
        try:
            return read_text(self.path)
        except DataFileError as error:
            raise ConfigError(f"{self.path} is no log of a run ({error})") from None

    def _rewrite(self, rows: Sequence[Mapping[str, object]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        put_file(self.path, text.getvalue(), "log")
