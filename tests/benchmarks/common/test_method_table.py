from __future__ import annotations

import pytest

from benchmarks.common.method_table import METHODS, SAME_TOKENS, Method

NAMES = [method.name for method in METHODS]


def test_names_and_folders_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)
    folders = [method.folder for method in METHODS]
    assert len(set(folders)) == len(folders)
    assert all(
        set(folder) <= set("abcdefghijklmnopqrstuvwxyzαβγδεπ0123456789-") for folder in folders
    )


@pytest.mark.parametrize("method", [m for m in METHODS if m.start], ids=lambda m: m.name)
def test_a_token_method_continues_from_a_static_network_that_stands_before_it(
    method: Method,
) -> None:
    (start,) = (each for each in METHODS if each.name == method.start)
    assert not start.start
    assert NAMES.index(start.name) < NAMES.index(method.name)


def test_further_margins_are_for_the_halting_network_alone() -> None:
    with_margins = {method.name: method.epsilons for method in METHODS if method.epsilons}
    assert with_margins == {"STAS": (0.1, 0.3)}


def test_methods_that_keep_as_many_tokens_drop_some() -> None:
    dropping = [method for method in METHODS if method.what == SAME_TOKENS]
    assert [method.name for method in dropping] == ["random", "STATA-like"]
    for method in dropping:
        assert method.changes["model"]["drop"]["keep"] == SAME_TOKENS


@pytest.mark.parametrize(
    ("name", "folder"),
    [("DT-SNN", "dt-snn"), ("STAS, SPS", "stas--sps"), ("all tokens", "all-tokens")],
)
def test_a_folder_is_named_after_its_method(name: str, folder: str) -> None:
    assert Method(name, "").folder == folder
