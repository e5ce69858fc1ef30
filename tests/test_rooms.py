"""The floor plan: imports run one way, folders can be seen at a glance, maps name what is there.

Counted is every import statement, those inside functions included; those for type checkers alone
are not. In every folder each subfolder is one room, whatever is inside.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("spikehalt", "runtime", "export", "train", "plugins", "benchmarks")
MAPPED = ("spikehalt", "runtime", "export", "train", "plugins")
MOST_FILES = 10  # of a package's top level, besides `__init__` and `__main__`
Graph = Mapping[str, Collection[str]]  # module or room -> those it imports


@cache
def modules() -> dict[str, Path]:
    """Every module of the packages, by dotted name; a folder's is that of its `__init__`."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def import_graph() -> dict[str, frozenset[str]]:
    """What every module imports of the packages."""
    known = modules()
    return {
        name: frozenset(imported(path.read_text(), known)) - {name} for name, path in known.items()
    }


def imported(source: str, known: Collection[str]) -> Iterator[str]:
    """Modules among `known` that a source imports."""
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that type checkers alone read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from statements(child)


def rooms(graph: Graph, folder: str) -> dict[str, set[str]]:
    """The graph of what lies in a folder: its files, and its subfolders as one room each."""
    contracted: dict[str, set[str]] = {}
    for name, targets in graph.items():
        if name.startswith(f"{folder}."):
            here = room_of(name, folder)
            inside = {room_of(each, folder) for each in targets if each.startswith(f"{folder}.")}
            contracted.setdefault(here, set()).update(inside - {here})
    return contracted


def room_of(name: str, folder: str) -> str:
    """What in `folder` a module below it belongs to."""
    return f"{folder}.{name.removeprefix(f'{folder}.').split('.')[0]}"


def circle(graph: Graph) -> list[str]:
    """Some circle of a graph, its start repeated at the end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def of_package(package: str) -> Graph:
    known = import_graph()
    return {name: targets for name, targets in known.items() if name.split(".")[0] == package}


@pytest.mark.parametrize("package", PACKAGES)
def test_files_import_one_another_in_no_circle(package: str) -> None:
    assert circle(of_package(package)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_import_one_another_in_no_circle(package: str) -> None:
    graph = of_package(package)
    folders = [name for name in graph if modules()[name].stem == "__init__"]
    assert folders
    for folder in folders:
        assert circle(rooms(graph, folder)) == []


def test_packages_import_one_another_in_no_circle() -> None:
    packages: dict[str, set[str]] = {package: set() for package in PACKAGES}
    for name, targets in import_graph().items():
        here = name.split(".")[0]
        packages[here] |= {target.split(".")[0] for target in targets} - {here}
    assert circle(packages) == []
    assert packages["spikehalt"] == set()


def test_a_circle_is_found_and_named() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == {"b", "c"}
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_rooms_can_go_in_circles_where_files_do_not() -> None:
    graph = {"p.a.one": {"p.b.one"}, "p.b.two": {"p.a.two"}, "p.a.two": set(), "p.b.one": set()}
    assert circle(graph) == []
    assert set(circle(rooms(graph, "p"))) == {"p.a", "p.b"}


def test_imports_of_every_kind_are_seen_but_those_of_type_checkers() -> None:
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
    assert sorted(imported(source, known)) == ["a", "a.b", "a.b", "a.c", "a.d", "a.f"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_top_level_can_be_seen_at_a_glance(package: str) -> None:
    files = [path for path in (ROOT / package).glob("*.py") if not path.stem.startswith("_")]
    assert len(files) <= MOST_FILES, sorted(path.name for path in files)


def test_rooms_are_rooms_and_not_halls() -> None:
    """A room may have more files than a top level, while it has one idea; none has twenty."""
    counts = Counter(path.parent.relative_to(ROOT) for path in modules().values())
    assert not {str(folder): count for folder, count in counts.items() if count > 20}


@pytest.mark.parametrize("package", MAPPED)
def test_the_map_of_a_package_names_what_is_in_it(package: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text())) or ""
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    named = {name for line in lines for name in line.partition("  ")[0].split(", ")}
    inside = {
        path.stem
        for path in (ROOT / package).iterdir()
        if path.stem[0].isalpha() and (path.suffix == ".py" or any(path.glob("*.py")))
        if not (path / "op.yaml").exists()  # an op's folder, which plugins/ops.py names
    }
    assert inside <= named, sorted(inside - named)
