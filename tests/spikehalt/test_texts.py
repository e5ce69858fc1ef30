from __future__ import annotations

import json

import pytest

from spikehalt.console import json_line, json_text
from spikehalt.texts import cell, label, short_name


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1+1", "=cmd|' /C calc'!A0"]
)
def test_a_spreadsheet_computes_no_text(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_control_characters_in_a_cell_are_visible() -> None:
    assert cell("\t=1\n\x1b[31m") == r"\t=1\n\x1b[31m"
    assert cell("a, b") == "a, b"


@pytest.mark.parametrize("text", ["$x_$", r"$\bad{$", "a$b", r"\$"])
def test_charts_read_no_formula_in_a_name(text: str) -> None:
    shown = label(text)
    assert shown.count("$") == shown.count(r"\$")


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "短" * 85, "\udcff" * 255, "short"])
def test_a_long_name_leaves_room(name: str) -> None:
    short = short_name(name)
    assert len(short.encode()) <= 200 and name.startswith(short.rstrip("?"))


HOSTILE = "\x9b31m\u202ea\u2028b\u061c\ud800\x7f\n\x1b"


@pytest.mark.parametrize("written", [json_text, json_line])
def test_json_means_the_same_and_acts_on_no_terminal(written) -> None:  # type: ignore[no-untyped-def]
    text = written({"name": HOSTILE})
    assert json.loads(text) == {"name": HOSTILE}
    assert not set("\x9b\u202e\u2028\u061c\ud800\x7f\x1b") & set(text)
    assert text.encode()
