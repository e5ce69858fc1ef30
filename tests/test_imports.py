"""Imports run one way: no circle between files, nor between the rooms of any folder.

Counted are imports that run when a module is imported; those of a function, and those for type
checkers alone, are not. In every folder each subfolder is one room, whatever is inside; a folder's
`__init__` belongs to its room.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("spikehalt", "runtime", "export", "train", "plugins", "benchmarks")
WITHOUT_CIRCLES_OF_ROOMS = ("spikehalt", "benchmarks")
Graph = Mapping[str, set[str]]  # module or room -> those it imports


@cache
def modules(root: Path) -> dict[str, Path]:
    """Every module of the packages, by name; a package's is that of its `__init__`."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def import_graph(root: Path) -> dict[str, set[str]]:
    """What every module imports of the packages."""
    known = modules(root)
    return {
        name: {target for target in imported(path.read_text(), known) if target != name}
        for name, path in known.items()
    }


def imported(source: str, known: Iterable[str]) -> Iterator[str]:
    """Modules of ours that a source imports when it is imported itself."""
    for node in run_at_import(ast.parse(source).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)


def run_at_import(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements outside of functions, classes' bodies included."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or for_type_checkers(node):
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            yield from run_at_import(getattr(node, field, ()))
        for handler in getattr(node, "handlers", ()):
            yield from run_at_import(handler.body)


def for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def rooms(graph: Graph, folder: str, folders: Iterable[str]) -> dict[str, set[str]]:
    """The graph of what lies in a folder: its files, and its subfolders as one room each."""
    contracted: dict[str, set[str]] = {}
    for name, targets in graph.items():
        here = room_of(name, folder, folders)
        if here is None:
            continue
        found = {room_of(target, folder, folders) for target in targets} - {None, here}
        contracted.setdefault(here, set()).update(map(str, found))
    return contracted


def room_of(name: str, folder: str, folders: Iterable[str]) -> str | None:
    """What in `folder` a module belongs to; None for the folder's own `__init__` and strangers."""
    if not name.startswith(f"{folder}."):
        return None
    child = name.removeprefix(f"{folder}.").split(".")[0]
    return f"{folder}.{child}" + ("/" if f"{folder}.{child}" in folders else "")


def circle(graph: Graph) -> list[str] | None:
    """Some circle of a graph, its start repeated at the end; None where there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for target in sorted(graph.get(name, ())):
            found = visit(target, [*path, name])
            if found:
                return found
        done.add(name)
        return None

    for name in sorted(graph):
        found = visit(name, [])
        if found:
            return found
    return None


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_graph(ROOT)


@pytest.mark.parametrize("package", PACKAGES)
def test_files_import_one_another_in_no_circle(graph: Graph, package: str) -> None:
    inside = {name: targets for name, targets in graph.items() if is_in(name, package)}
    found = circle(inside)
    assert found is None, f"a circle of imports: {' -> '.join(found)}"


@pytest.mark.parametrize("package", WITHOUT_CIRCLES_OF_ROOMS)
def test_rooms_import_one_another_in_no_circle(graph: Graph, package: str) -> None:
    folders = [name for name, path in modules(ROOT).items() if path.name == "__init__.py"]
    for folder in (name for name in folders if is_in(name, package)):
        found = circle(rooms(graph, folder, folders))
        assert found is None, f"a circle of rooms in {folder}: {' -> '.join(found)}"


def test_packages_import_one_another_in_no_circle(graph: Graph) -> None:
    packages: dict[str, set[str]] = {package: set() for package in PACKAGES}
    for name, targets in graph.items():
        here = name.split(".")[0]
        packages[here] |= {target.split(".")[0] for target in targets} - {here}
    assert circle(packages) is None


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_a_circle_is_found_and_named() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_rooms_can_go_in_circles_where_files_do_not() -> None:
    graph = {"p.a.one": {"p.b.one"}, "p.b.two": {"p.a.two"}, "p.a.two": set(), "p.b.one": set()}
    assert circle(graph) is None
    assert circle(rooms(graph, "p", ["p", "p.a", "p.b"])) == ["p.a/", "p.b/", "p.a/"]


def test_only_imports_that_run_at_import_are_counted() -> None:
    source = """
import a.b
from a import b, thing
try:
    from a import c
except ImportError:
    import a.d
if TYPE_CHECKING:
    import a.e
def f():
    import a.f
"""
    known = ["a", "a.b", "a.c", "a.d", "a.e", "a.f"]
    assert list(imported(source, known)) == ["a.b", "a.b", "a", "a.c", "a.d"]
