"""Whatever training writes tells a disk that refuses in one line, and keeps what was there."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

import spikehalt.files
from spikehalt.errors import OutputError
from train.cli.options.outputs import give_figures
from train.figures import canvas
from train.loop.reports.log import COLUMNS, CsvLog
from train.loop.sweep import SweepPoint, _write
from train.measure.constants import Constants

ROW = {**dict.fromkeys(COLUMNS, 1), "phase": "static"}


def log(path: Path) -> None:
    CsvLog(path, keep=True).write(**ROW)


def table(path: Path) -> None:
    _write(path, [SweepPoint({"seed": 1}, 0.5, 0.5, 0.5, 1.0, Path("x"))])


def figure(path: Path) -> None:
    canvas.write(canvas.canvas(1, 1)[0], path)


def figures(path: Path) -> None:
    give_figures({"mac_pj": Constants().mac_pj}, lambda: None, as_json=False, out=path)


WRITERS: list[tuple[str, Callable[[Path], None]]] = [
    ("log.csv", log),
    ("sweep.csv", table),
    ("x.png", figure),
    ("x.json", figures),
]
REFUSALS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EFBIG, errno.ESTALE]


@pytest.mark.parametrize(("name", "write"), WRITERS)
@pytest.mark.parametrize("number", REFUSALS)
def test_a_disk_that_refuses_is_told_in_a_line_and_what_was_there_stays(
    name: str,
    write: Callable[[Path], None],
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / name
    write(path)
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(number, "the disk says no")

    monkeypatch.setattr(spikehalt.files, "write_file", refuse)
    with pytest.raises(OutputError, match=rf"{name} cannot be written: the disk says no$"):
        write(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_nothing_of_training_writes_around_the_one_that_tells() -> None:
    """No source of train opens a file to write it."""
    root = Path(__file__).resolve().parents[2] / "train"
    ways = ("write_text(", "write_bytes(", 'open("w', 'open("a', ', "w"', ', "wb"')
    found = [
        f"{path.relative_to(root)}: {way}"
        for path in root.rglob("*.py")
        for way in ways
        if way in path.read_text()
    ]
    assert not found
