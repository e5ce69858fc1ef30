from __future__ import annotations

import io
from itertools import count
from pathlib import Path

import pytest
from rich.console import Console

from tests.train.samples import quick_run
from train.loop.reports.progress import Bar, Extent, Lines, Silence, duration, progress
from train.loop.run import run

EXTENT = Extent("static", epochs=20, steps=10, images=64)


def test_a_line_tells_an_epochs_figures_and_the_time_left() -> None:
    seconds, written = count(0.0, 1.0), list[str]()
    lines = Lines(EXTENT, written.append, clock=lambda: next(seconds))
    for done in range(1, 11):
        lines.step(done, 0.5)
    lines.epoch(1, 1.23456, 0.9125)  # trained 10 s, 11 s with validation: 19 epochs are 209 s
    assert written == ["static 1/20  loss 1.2346  validation 91.25%  64 images/s  3 min left"]


def test_each_line_counts_its_own_steps_alone() -> None:
    seconds, written = count(0.0, 1.0), list[str]()
    lines = Lines(EXTENT, written.append, clock=lambda: next(seconds))
    lines.epoch(19, 1.0, 0.5)
    lines.step(191, 0.5)
    lines.epoch(20, 0.5, 0.75)
    assert written == [
        "static 19/20  loss 1.0000  validation 50.00%",
        "static 20/20  loss 0.5000  validation 75.00%  64 images/s  0 s left",
    ]


def test_the_time_left_counts_the_timesteps_of_the_epochs_to_come() -> None:
    """An epoch at t = 1 trains for 10 s: those at t = 4 will for 40 s; validation stays at 1 s."""
    growing = Extent("static", epochs=4, steps=10, images=64, timesteps=(1, 1, 4, 4))
    seconds, written = count(0.0, 1.0), list[str]()
    lines = Lines(growing, written.append, clock=lambda: next(seconds))
    for done in range(1, 11):
        lines.step(done, 0.5)
    lines.epoch(1, 1.0, 0.5)
    assert written[-1].endswith(f"{duration(10 + 2 * 40 + 3 * 1)} left")
    for done in range(11, 21):
        lines.step(done, 0.5)
    lines.epoch(2, 1.0, 0.5)
    assert written[-1].endswith(f"{duration(2 * 40 + 2 * 1)} left")


def test_the_bar_counts_timesteps() -> None:
    growing = Extent("static", epochs=4, steps=10, images=64, timesteps=(1, 1, 4, 4))
    with progress(growing, console=Console(file=io.StringIO(), force_terminal=True)) as shown:
        assert isinstance(shown, Bar)
        for done, share in ((5, 0.05), (20, 0.2), (35, 0.8), (40, 1.0)):
            shown.step(done, 0.5)
            assert shown.bar.tasks[0].percentage == pytest.approx(100 * share)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (90, "2 min"), (3900, "1 h 05 min")]
)
def test_durations_are_rounded(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_terminal_gets_the_bar_a_file_lines_and_other_processes_nothing() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    with progress(EXTENT, console=terminal) as shown:
        assert isinstance(shown, Bar)
        shown.step(100, 0.5)
        shown.epoch(10, 0.5, 0.5)
        assert shown.bar.tasks[0].percentage == 50
    with progress(EXTENT, console=Console(file=io.StringIO())) as shown:
        assert isinstance(shown, Lines)
    with progress(EXTENT, shown=False) as shown:
        assert isinstance(shown, Silence)


def test_a_run_into_a_file_writes_a_line_per_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(quick_run(tmp_path, static={"epochs": 2}))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert [line.split("  ")[0] for line in lines] == ["static 1/2", "static 2/2", "halting 1/1"]
    for line in lines:
        assert "loss" in line and "validation" in line and "images/s" in line and "left" in line
