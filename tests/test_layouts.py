"""What a token layout means stands in its own file: nothing else asks which one it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from export.graph.layouts.base import Layout
from export.graph.layouts.table import LAYOUTS as EMITTED
from runtime.backends.layouts import DUTIES
from spikehalt.vocabulary import LAYOUTS

ROOT = Path(__file__).parent.parent
PACKAGES = ("spikehalt", "runtime", "export", "train", "plugins", "benchmarks")


def questions(source: str) -> list[int]:
    """Lines that compare something with a layout's name, or match one."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            asked = [node.value]
        else:
            continue
        if any(value in LAYOUTS for each in asked for value in constants(each)):
            found.append(node.lineno)
    return found


def constants(node: ast.expr) -> list[object]:
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_source_compares_with_a_layouts_name(package: str) -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in questions(path.read_text())
    ]
    assert not offences, f"ask the layout's object instead: {', '.join(offences)}"


@pytest.mark.parametrize(
    "source",
    [
        "x = layout == 'lagged'",
        "if 'dense' != options.layout: pass",
        "y = manifest.layout in ('packed', 'dense')",
        "match layout:\n    case 'packed': pass",
    ],
)
def test_such_comparisons_are_seen(source: str) -> None:
    assert questions(source)


def test_names_that_are_passed_or_looked_up_are_no_comparisons() -> None:
    assert not questions("choice = Choice('dense') if small else TABLE['packed']")


def test_every_layout_has_an_object_in_export_and_in_the_runtime() -> None:
    assert set(EMITTED) == set(DUTIES) == set(LAYOUTS)
    assert all(issubclass(kind, Layout) for kind in EMITTED.values())


def test_what_a_layout_needs_is_what_the_runtime_makes_of_it() -> None:
    """Live masks are needed where the runtime makes row lists of them."""
    for name, kind in EMITTED.items():
        assert kind.needs_live_masks == bool(DUTIES[name].row_inputs(3))
