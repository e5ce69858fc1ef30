"""The one row and the one table of all benchmarks."""

from __future__ import annotations

import json

import pytest

from benchmarks.common.table import (
    Column,
    Row,
    Table,
    console,
    gain,
    images_per_s,
    number,
    words,
)

PEER = Row("peer", {"ms": 10.0, "tokens": None, "device": "gpu 0"}, "the other one")
OURS = Row("ours", {"ms": 4.0, "tokens": 0.4567, "device": "gpu 1"})
FAILED = Row("late", {"batch": 2}, "a slow one", failed="not ready after 5 s")
ROWS = [PEER, OURS, FAILED]


def test_a_figure_is_asked_for_by_name() -> None:
    assert OURS["ms"] == 4.0
    assert Row("one", {"count": 3})["count"] == 3.0


@pytest.mark.parametrize("figure", ["tokens", "joules"])
def test_a_figure_that_was_not_measured_is_an_error_that_names_what_there_is(figure: str) -> None:
    with pytest.raises(KeyError, match=rf"peer has no figure '{figure}'; it has ms, tokens"):
        PEER[figure]


def test_a_row_in_a_file_has_its_figures_beside_its_name() -> None:
    assert json.loads(json.dumps(PEER.plain())) == {
        "name": "peer", "what": "the other one", "ms": 10.0, "tokens": None, "device": "gpu 0",
        "failed": None,
    }  # fmt: skip
    assert FAILED.plain()["failed"] == "not ready after 5 s"


def test_rows_of_equal_figures_are_equal() -> None:
    assert Row("a", {"ms": 1.0}) == Row("a", {"ms": 1.0}) != Row("a", {"ms": 2.0})


def test_words_are_the_candidates_own_or_those_of_a_figure() -> None:
    assert words("").shown(PEER) == "the other one"
    assert words("").shown(OURS) == "ours"
    assert words("on", "device").shown(OURS) == "gpu 1"
    assert words("").text


@pytest.mark.parametrize(
    ("how", "scale", "shown"),
    [
        (".2f", 1.0, "0.46"), (".4f", 1.0, "0.4567"), (".1%", 1.0, "45.7%"),
        (",.0f", 1e6, "456,700"), (".3g", 1e-3, "0.000457"),
    ],
)  # fmt: skip
def test_numbers_are_scaled_and_formatted(how: str, scale: float, shown: str) -> None:
    assert number("tokens", "tokens", how, scale).shown(OURS) == shown


def test_a_number_that_is_not_there_leaves_its_cell_empty() -> None:
    assert number("tokens", "tokens").shown(PEER) == ""
    assert number("mJ", "energy_mj").shown(OURS) == ""


def test_zero_is_a_number() -> None:
    assert number("mJ", "energy_mj").shown(Row("x", {"energy_mj": 0.0})) == "0.00"


def test_images_per_second_are_the_inverse_of_milliseconds_per_image() -> None:
    column = images_per_s("ms", lambda row: ",.0f" if row["ms"] < 5 else ".1f")
    assert column.shown(OURS) == "250"
    assert column.shown(PEER) == "100.0"
    assert images_per_s("ms", lambda row: ",.0f").shown(Row("x", {"ms": 0.125})) == "8,000"


def test_a_gain_is_the_base_over_the_row() -> None:
    column = gain("× peer", ROWS, "peer", "ms")
    assert [column.shown(row) for row in (PEER, OURS)] == ["1.00", "2.50"]


@pytest.mark.parametrize("base", ["nobody", "late"])
def test_without_a_base_that_ran_there_is_no_gain(base: str) -> None:
    assert gain("×", ROWS, base, "ms").shown(OURS) == ""


def test_a_gain_of_another_figure_that_is_missing_is_empty() -> None:
    assert gain("×", ROWS, "ours", "tokens").shown(PEER) == ""


def shown() -> Table:
    columns = [words(""), number("ms/image", "ms"), gain("× peer", ROWS, "peer", "ms")]
    return Table("batch [2]", columns, "measured [here]")


def test_cells_stand_in_the_order_of_the_columns() -> None:
    assert shown().cells(OURS) == ["ours", "4.00", "2.50"]


def test_a_row_that_failed_stands_under_the_table_with_its_reason() -> None:
    assert FAILED.reason == "a slow one: not ready after 5 s"
    assert Row("x", failed="no").reason == "x: no"
    with console.capture() as captured:
        shown().print([FAILED, PEER])
    assert captured.get().splitlines()[-1] == "  a slow one: not ready after 5 s"


def test_a_long_reason_stays_in_one_line() -> None:
    with console.capture() as captured:
        shown().print([Row("x", failed="because " * 60 + "[of] this")])
    assert captured.get().splitlines()[-1].endswith("because [of] this")


def test_the_table_shows_every_row_its_title_and_its_caption() -> None:
    with console.capture() as captured:
        shown().print(ROWS)
    text = captured.get()
    for part in ("batch [2]", "measured [here]", "the other one", "× peer", "2.50", "after 5 s"):
        assert part in text


def test_brackets_in_cells_are_no_markup() -> None:
    """Reasons of failures hold file names and types, such as float[4]."""
    table = Table("", [Column("", lambda row: "[bold]x[/bold] float[4]", text=True)])
    with console.capture() as captured:
        table.print([OURS])
    assert "[bold]x[/bold] float[4]" in captured.get()


def test_numbers_are_never_wrapped_and_words_are() -> None:
    long = "a candidate whose description goes on " * 8
    table = Table("", [words(""), number("ms", "ms", ".6f")])
    with console.capture() as captured:
        table.print([Row("x", {"ms": 123.456789}, long)])
    lines = captured.get().splitlines()
    assert sum("123.456789" in line for line in lines) == 1
    assert sum("candidate" in line for line in lines) > 1
