"""A CSV file of figures, one row per epoch."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = (
    "phase",
    "epoch",
    "loss",
    "learning_rate",
    "validation_accuracy",
    "validation_accuracy_t1",
    "average_tokens",
)


class CsvLog:
    """Appends rows to `path`; the header is written once.

    Args:
        path: the file.
        keep: keep the rows that are there (a resumed run) or start anew.
        writes: whether this process is the one that writes.
    """

    def __init__(self, path: Path, *, keep: bool, writes: bool = True) -> None:
        self.path = path
        self.writes = writes
        if not writes:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (keep and path.exists()):
            self._rewrite([])

    def write(self, **row: object) -> None:
        """Append one row; its keys must be COLUMNS."""
        if not self.writes:
            return
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS).writerow(row)

    def rows(self) -> list[dict[str, str]]:
        """Every row as text by column."""
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))

    def drop_after(self, phase: str, epoch: int) -> None:
        """Forget rows of `phase` beyond `epoch`: a run that resumes there writes them again."""
        if not self.writes:
            return
        rows = [r for r in self.rows() if r["phase"] != phase or int(r["epoch"]) <= epoch]
        self._rewrite(rows)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
