"""Nobody asks which architecture it is: what differs between them, their objects say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

from train.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[3]
PACKAGES = ("spikehalt", "train", "export", "runtime", "plugins", "benchmarks")
ROOM = ROOT / "train" / "architectures"


def names_one(node: ast.AST) -> bool:
    """Whether a literal in `node` is an architecture's name."""
    return any(
        isinstance(each, ast.Constant) and each.value in ARCHITECTURES for each in ast.walk(node)
    )


def is_arch(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "arch"


def compares(node: ast.Compare) -> bool:
    """Against a name, or an `.arch` with anything but another `.arch` (a mismatch of two)."""
    sides = [node.left, *node.comparators]
    archs = [is_arch(side) for side in sides]
    return any(map(names_one, sides)) or (any(archs) and not all(archs))


def is_table_in_place(node: ast.AST) -> TypeGuard[ast.Subscript]:
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict)


def choices(tree: ast.AST) -> Iterator[int]:
    """Lines that choose by an architecture's name: comparisons, cases, tables indexed in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and compares(node):
            yield node.lineno
        elif isinstance(node, ast.match_case) and names_one(node.pattern):
            yield node.pattern.lineno
        elif is_table_in_place(node) and names_one(node):
            yield node.lineno


def sources() -> Iterator[tuple[Path, str]]:
    """Files outside of the room in which an architecture is spoken of at all."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            if ROOM not in path.parents and any(word in text for word in (".arch", *ARCHITECTURES)):
                yield path, text


def test_no_source_chooses_by_an_architectures_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, text in sources()
        for line in choices(ast.parse(text))
    ]
    assert not found, f"ask `config.architecture` instead: {found}"


@pytest.mark.parametrize(
    "source",
    [
        'arch == "sdt"',
        'config.arch != "spikformer"',
        'x if config.arch in ("spikingformer", "sdt") else y',
        "config.arch == SDT",
        '{"sdt": 1}[arch]',
        'match arch:\n    case "sdt" | "spikformer":\n        pass',
    ],
)
def test_a_choice_is_found(source: str) -> None:
    assert list(choices(ast.parse(source)))


@pytest.mark.parametrize("source", ["form.arch != model.arch", 'name == "digits"', 'f("sdt")'])
def test_what_is_no_choice_is_let_through(source: str) -> None:
    assert not list(choices(ast.parse(source)))
