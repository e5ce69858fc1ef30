from __future__ import annotations

from pathlib import Path

from train.log import COLUMNS, CsvLog


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
