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
from spikehalt.reading import reading

_NO_LOG = "is no log of a run"
_MOVE_IT = "move it away, or name another --out"
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
    rows = _rows(path, "name a run's folder or its log.csv")
    if not rows:
        raise ConfigError(f"{path} holds no epoch yet; wait until one is done")
    for row in rows:
        wrong = [column for column in numbers if not _is_number(row.get(column))]
        if wrong:
            raise ConfigError(
                f"{path} {_NO_LOG}: it has no numbers in column {', '.join(wrong)}; name a run's "
                "folder or its log.csv"
            )
    return rows


def _rows(path: Path, what_to_do: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_text(path, what_to_do), newline="")))


def _text(path: Path, what_to_do: str) -> str:
    """The file's text, which is that of a table."""
    try:
        text = read_text(path)
    except DataFileError as error:
        raise ConfigError(f"{path} {_NO_LOG}; {what_to_do} ({error})") from None
    with reading(path, ConfigError, f"{_NO_LOG}; {what_to_do}"):
        for _ in csv.reader(io.StringIO(text, newline="")):
            pass
    return text


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
        else:
            self._check()

    def write(self, **row: object) -> None:
        """Append one row; its keys must be COLUMNS.

        Raises:
            OutputError: the disk refused; the rows before it are intact.
        """
        if self.writes:
            self._rewrite([*self.rows(), row])

    def rows(self) -> list[dict[str, str]]:
        """Every row as text by column."""
        return _rows(self.path, _MOVE_IT)

    def drop_after(self, phase: str, epoch: int) -> None:
        """Forget rows of `phase` beyond `epoch`: a run that resumes there writes them again."""
        if not self.writes:
            return
        rows = [r for r in self.rows() if r["phase"] != phase or int(r["epoch"]) <= epoch]
        self._rewrite(rows)

    def _check(self) -> None:
        table = csv.DictReader(io.StringIO(_text(self.path, _MOVE_IT), newline=""))
        header, rows = table.fieldnames, list(table)
        whole = all(set(row) == set(COLUMNS) and str(row["epoch"]).isdecimal() for row in rows)
        if header != list(COLUMNS) or not whole:
            raise ConfigError(f"{self.path} {_NO_LOG}: {_MOVE_IT}")

    def _rewrite(self, rows: Sequence[Mapping[str, object]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        put_file(self.path, text.getvalue(), "log")
