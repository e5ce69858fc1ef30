from __future__ import annotations

from pathlib import Path

import pytest

from spikehalt.errors import ConfigError
from train.loop.reports.log import COLUMNS, CsvLog, read_log


def row(phase: str, epoch: int) -> dict[str, object]:
    return {**dict.fromkeys(COLUMNS, 0.5), "phase": phase, "epoch": epoch}


def test_a_new_run_starts_anew_and_a_resumed_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log.csv"
    CsvLog(path, keep=False).write(**row("static", 1))
    CsvLog(path, keep=True).write(**row("static", 2))
    assert [r["epoch"] for r in CsvLog(path, keep=True).rows()] == ["1", "2"]
    assert CsvLog(path, keep=False).rows() == []


def test_rows_that_will_be_written_again_are_dropped(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "log.csv", keep=False)
    for phase, epoch in (("static", 1), ("static", 2), ("halting", 1), ("halting", 2)):
        log.write(**row(phase, epoch))
    log.drop_after("halting", 1)
    found = [(r["phase"], r["epoch"]) for r in log.rows()]
    assert found == [("static", "1"), ("static", "2"), ("halting", "1")]


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "log.csv", keep=False)
    log.write(**row("static", 1))
    assert read_log(log.path, ["loss", "average_tokens"]) == log.rows()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "is no log of a run: it has no numbers in column loss; name"),
        (b"epoch,loss\n1,low\n", "no numbers in column loss"),
        (b"epoch,loss\n1\n", "no numbers in column loss"),
        (b"PK\x03\x04\xff\xfe", "is no log of a run; name a run's folder"),
        (b"epoch,loss\n", "holds no epoch yet"),
        (b"", "holds no epoch yet"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_log(path, ["loss"])
