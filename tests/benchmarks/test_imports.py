"""The floor plan of `benchmarks`: who may import whom, and which commands there are."""

from __future__ import annotations

import ast
import importlib.util
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import benchmarks

FOLDER = Path(benchmarks.__file__).parent
ROOT = FOLDER.parent
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in FOLDER.rglob("*.py")
}
TEXTS = [
    *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("zoo/*.md"), ROOT / "Makefile",
    FOLDER.parent / "plugins" / "README.md", *FILES.values(),
]  # fmt: skip


def imported(path: Path) -> set[str]:
    """Files of `benchmarks` that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & set(FILES)) or {node.module}
    return {name for name in found if name in FILES and name != "benchmarks"}


def room(name: str) -> str:
    """The folder of a file; a file at the top is a room of its own."""
    return name.split(".")[1]


GRAPH = {name: imported(path) for name, path in FILES.items() if name != "benchmarks"}


def test_no_file_imports_itself_in_a_circle() -> None:
    order = list(TopologicalSorter(GRAPH).static_order())
    assert set(order) == set(GRAPH)


def test_no_room_imports_itself_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for name, others in GRAPH.items():
        rooms.setdefault(room(name), set()).update({room(o) for o in others} - {room(name)})
    assert next(iter(TopologicalSorter(rooms).static_order())) == "common"
    assert rooms["common"] == set()
    assert rooms["gpu"] == rooms["train"] == rooms["cpu"] == {"common"}


def test_one_file_alone_draws_tables() -> None:
    drawing = [
        name for name, path in FILES.items() if "rich.table" in path.read_text(encoding="utf-8")
    ]
    assert drawing == ["benchmarks.common.table"]


def test_no_folder_holds_more_than_ten_files() -> None:
    for folder in {path.parent for path in FILES.values()}:
        assert len(list(folder.glob("*.py"))) <= 11, folder  # ten, and __init__


def named_commands() -> set[str]:
    texts = "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)
    return {name.rstrip(".") for name in re.findall(r"python -m (benchmarks[.a-z_]*)", texts)}


@pytest.mark.parametrize("command", sorted(named_commands()))
def test_every_command_that_a_text_names_is_there(command: str) -> None:
    found = FILES.get(f"{command}.__main__") or FILES.get(command)
    assert found is not None, f"there is no {command}"
    assert 'if __name__ == "__main__":' in found.read_text(encoding="utf-8")
    assert importlib.util.find_spec(command) is not None


def test_the_readmes_figures_have_commands() -> None:
    assert {"benchmarks.demo", "benchmarks.zoo", "benchmarks.cpu", "benchmarks.cpu.cost",
            "benchmarks.train", "benchmarks.train.traffic"} <= named_commands()  # fmt: skip
