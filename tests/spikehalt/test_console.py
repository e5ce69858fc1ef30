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
