from __future__ import annotations

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


def test_an_energy_has_the_unit_of_its_size() -> None:
    texts = [console.energy_text(each) for each in (0.00524, 0.0, 1.25, 3456.0, None)]
    assert texts == ["5.24 µJ", "0 µJ", "1.25 mJ", "3.456 J", "unknown"]
