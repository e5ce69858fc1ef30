"""The maps of `runtime`'s rooms name what is in them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import runtime

ROOT = Path(__file__).parents[2]
PACKAGE = "runtime"


@pytest.mark.parametrize(
    "room", [".", "backends", "bundle", "calibration", "early_exit", "results"]
)
def test_the_map_of_a_room_names_what_is_in_it(room: str) -> None:
    folder = ROOT / PACKAGE / room
    said = (ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or "").split("\n")
    first_words = {line.split()[0] for line in said if line.strip()}
    inside = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {name for name in inside if not name.startswith("_")} <= first_words


def test_what_users_import_is_where_it_was() -> None:
    from runtime import errors, testing
    from runtime.bundle import Bundle
    from runtime.engine import Engine

    assert runtime.Bundle is Bundle and runtime.Engine is Engine
    assert testing.ReplaySession and errors.SpikehaltError
