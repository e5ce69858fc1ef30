"""`except spikehalt.SpikehaltError` catches everything that the project raises on purpose."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from spikehalt.errors import SpikehaltError

ROOT = Path(__file__).parents[2]
PACKAGES = ("spikehalt", "runtime", "export", "train", "plugins")
# Raised for Python itself, or for a caller in the same file that makes one of ours of it.
OTHERS = {
    "spikehalt/__init__.py": {"AttributeError"},
    "spikehalt/files.py": {"NotADirectoryError"},
    "spikehalt/strict.py": {"ValueError"},
    "spikehalt/datasets/arrays.py": {"ValueError"},
    "runtime/backends/onnxruntime/files.py": {"ValueError"},
    "runtime/backends/onnxruntime/inline.py": {"ValueError"},
    "runtime/backends/onnxruntime/protobuf.py": {"ValueError"},
    "export/entry.py": {"SystemExit"},
    "runtime/sensors/base.py": {"ValueError"},
    "runtime/serve/guards.py": {"ValueError"},
    "runtime/serve/tensors.py": {"ValueError"},
    "spikehalt/__main__.py": {"SystemExit"},
    "spikehalt/commands.py": {"SystemExit"},
    "spikehalt/packages/lazy.py": {"AttributeError"},
    "train/data/cifar.py": {"ValueError"},
    "train/data/recordings/readers.py": {"ValueError"},
    "train/loop/phase/steps.py": {"KeyboardInterrupt"},
    "train/loop/run.py": {"KeyboardInterrupt"},
}
# What only a defect of the project reaches.
DEFECTS = {"AssertionError", "NotImplementedError"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def raised(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            yield ast.unparse(called)


def test_no_source_raises_exceptions_of_pythons_own() -> None:
    foreign = {
        f"{place} raises {name}"
        for place, tree in sources()
        for name in raised(tree)
        if isinstance(getattr(builtins, name, None), type)
        and name not in DEFECTS | OTHERS.get(place, set())
    }
    assert not foreign


def test_the_exceptions_to_this_are_still_needed() -> None:
    found = {place: set(raised(tree)) for place, tree in sources()}
    assert all(names <= found[place] for place, names in OTHERS.items())


def test_every_exception_class_has_the_one_root() -> None:
    classes = [
        getattr(import_module(place.removesuffix(".py").replace("/", ".")), node.name)
        for place, tree in sources()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    ]
    assert len(classes) > 25
    assert all(issubclass(each, SpikehaltError) for each in classes)


@pytest.mark.parametrize("package", ["runtime", "export", "train", "plugins"])
def test_each_package_draws_its_tree(package: str) -> None:
    module = import_module(f"{package}.errors")
    own = [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__
    ]
    assert own and all(name in (module.__doc__ or "") for name in own)
