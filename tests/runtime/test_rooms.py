"""The floor plan of `runtime`: rooms that import each other in one direction only."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import runtime

ROOT = Path(__file__).parents[2]
PACKAGE = "runtime"
MOST_FILES = 10

Graph = Mapping[str, set[str]]


def modules() -> dict[str, Path]:
    paths = sorted((ROOT / PACKAGE).rglob("*.py"))
    return {name_of(path.relative_to(ROOT)): path for path in paths}


def name_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Modules of the package that a file imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {each if each in known else str(node.module) for each in whole}
    return found & known.keys()


def of_files() -> Graph:
    known = modules()
    return {name: imports(path, known) for name, path in known.items()}


def of_rooms(files: Graph) -> Graph:
    """The same between the folders and files of the top level."""
    rooms: defaultdict[str, set[str]] = defaultdict(set)
    for name, others in files.items():
        rooms[room(name)] |= {room(each) for each in others} - {room(name)}
    return rooms


def room(name: str) -> str:
    return ".".join(name.split(".")[:2])


def circle(graph: Graph) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(of_files()) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    assert circle(of_rooms(of_files())) == []


def test_the_search_itself_finds_a_circle() -> None:
    files = {"runtime.a.x": {"runtime.b"}, "runtime.b": {"runtime.a.y"}, "runtime.a.y": set()}
    assert circle(files) == []
    assert set(circle(of_rooms(files))) == {"runtime.a", "runtime.b"}


def test_imports_of_every_kind_are_seen() -> None:
    known = modules()
    engine = imports(known["runtime.engine"], known)
    assert {"runtime.bundle", "runtime.opening", "runtime.backends.registry"} <= engine
    lazy = imports(known["runtime.backends.registry"], known)
    assert "runtime.backends.onnxruntime.session" in lazy


def test_every_folder_can_be_seen_at_a_glance() -> None:
    files = [path for path in modules().values() if not path.stem.startswith("_")]
    counts = Counter(path.parent.relative_to(ROOT) for path in files)
    assert not {folder: count for folder, count in counts.items() if count > MOST_FILES}


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
