from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest

from spikehalt import console


def test_plain_columns_are_aligned() -> None:
    text = console.plain_table("t", ["what", ">many"], [["a", "5"], ["longer", "1234567"]], "end")

    assert text.splitlines() == [
        "t",
        "what       many",
        "------  -------",
        "a             5",
        "longer  1234567",
        "end",
    ]


def test_a_plain_table_may_be_empty() -> None:
    assert console.plain_table("t", ["a", ">b"], []) == "t\na  b\n-  -\n"


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Where a call of `drawn` writes; pytest itself sets stderr between a fixture and its test."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield Terminal()
    console.be_quiet(False)


def drawn(stream: io.StringIO, total: int | None = 4) -> str:
    """What passing four items under a progress bar writes."""
    with redirect_stderr(stream):
        assert list(console.progress(range(4), total, "counting", [1] * 4)) == [0, 1, 2, 3]
    return stream.getvalue()


def test_progress_shows_rate_and_time_left(terminal: Terminal) -> None:
    text = drawn(terminal)
    assert "counting" in text and "4/4" in text and "/s" in text and "left" in text


def test_progress_without_an_end_has_no_time_left(terminal: Terminal) -> None:
    text = drawn(terminal, None)
    assert "4/?" in text and "left" not in text


def test_progress_has_colours_unless_they_are_not_wanted(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*[34]\dm|\x1b\[[0-9;]*[34]8;")
    assert colour.search(drawn(terminal))
    terminal.truncate(0)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search(drawn(terminal))


def test_progress_is_silent_without_a_terminal() -> None:
    assert drawn(io.StringIO()) == ""


def test_quiet_leaves_errors_alone(terminal: Terminal) -> None:
    console.be_quiet(True)
    assert drawn(terminal) == ""
    with redirect_stderr(terminal):
        console.note("a remark")
        console.error("what went wrong")
    assert terminal.getvalue() == "error: what went wrong\n"


def test_an_energy_has_the_unit_of_its_size() -> None:
    texts = [console.energy_text(each) for each in (0.00524, 0.0, 1.25, 3456.0, None)]
    assert texts == ["5.24 µJ", "0 µJ", "1.25 mJ", "3.456 J", "unknown"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1+1", "=cmd|' /C calc'!A0"]
)
def test_a_spreadsheet_computes_no_text(text: str) -> None:
    assert console.cell(text) == f"'{text}"


def test_control_characters_in_a_cell_are_visible() -> None:
    assert console.cell("\t=1\n\x1b[31m") == r"\t=1\n\x1b[31m"
    assert console.cell("a, b") == "a, b"


@pytest.mark.parametrize("text", ["$x_$", r"$\bad{$", "a$b", r"\$"])
def test_charts_read_no_formula_in_a_name(text: str) -> None:
    shown = console.chart_label(text)
    assert shown.count("$") == shown.count(r"\$")


HOSTILE = "\x9b31m\u202ea\u2028b\u061c\ud800\x7f\n\x1b"


@pytest.mark.parametrize("written", [console.json_text, console.json_line])
def test_json_means_the_same_and_acts_on_no_terminal(written) -> None:  # type: ignore[no-untyped-def]
    text = written({"name": HOSTILE})
    assert json.loads(text) == {"name": HOSTILE}
    assert not set("\x9b\u202e\u2028\u061c\ud800\x7f\x1b") & set(text)
    assert text.encode()


def test_a_few_names_say_whether_there_are_more() -> None:
    assert console.few(["a", "b"], 2) == "a, b"
    assert console.few(("a", "b", "c"), 2) == "a, b, …"
    assert console.few([], 2) == ""
