"""The floor plan: no import circle between files or folders of a package, no crowded folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("spikehalt", "train")
MAPPED = ("train",)  # their `__init__` has a map of their rooms alone
MOST_FILES = 10  # besides `__init__` and `__main__`
CROWDED: set[str] = {"train/data"}


def modules(package: str) -> dict[str, Path]:
    """Files of a package by dotted name; a folder's `__init__` by the folder's."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """Dotted names in every import statement of a file, lazy ones included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str, known: Mapping[str, Path]) -> str:
    """The module that a dotted name is of, or in; "" for another package's."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def file_graph(package: str) -> dict[str, set[str]]:
    """Modules that each module imports."""
    known = modules(package)
    return {
        module: {module_of(name, known) for name in imported(path)} - {module, ""}
        for module, path in known.items()
    }


def folder_graph(package: str) -> dict[str, set[str]]:
    """The same between folders; files of the top level and `__init__` stand for themselves."""
    known = modules(package)

    def room(module: str) -> str:
        below_the_top = module.count(".") > 1
        return (
            module.rpartition(".")[0]
            if below_the_top and known[module].stem != "__init__"
            else module
        )

    graph: dict[str, set[str]] = {}
    for module, targets in file_graph(package).items():
        here = room(module)
        graph.setdefault(here, set()).update({room(target) for target in targets} - {here})
    return graph


@pytest.mark.parametrize("graph", [file_graph, folder_graph])
@pytest.mark.parametrize("package", PACKAGES)
def test_no_imports_go_in_a_circle(package: str, graph: object) -> None:
    assert callable(graph)
    assert circle(graph(package)) == []


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_a_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_is_crowded(package: str) -> None:
    folders = {path.parent for path in modules(package).values()}
    crowded = {
        str(folder.relative_to(ROOT))
        for folder in folders
        if len(list(folder.glob("[!_]*.py"))) > MOST_FILES
    }
    assert crowded <= CROWDED


@pytest.mark.parametrize("package", MAPPED)
def test_the_map_names_every_room(package: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text())) or ""
    mapped = {line.split()[0] for line in text.splitlines() if line.startswith("    ")}
    rooms = {
        path.stem
        for path in (ROOT / package).iterdir()
        if not path.name.startswith(("_", ".")) and (path.is_dir() or path.suffix == ".py")
    }
    assert rooms == mapped
