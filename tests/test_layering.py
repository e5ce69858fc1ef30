"""Who may import whom (the table in CONTRIBUTING), in fresh processes and by syntax."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "spikehalt": ("numpy", "torch", "train", "export", "runtime", "plugins", "onnx", "PIL"),
    "runtime": ("torch", "train", "export", "plugins", "onnx", "spikingjelly"),
    "plugins": ("torch", "train", "export", "runtime"),
    "train": ("export", "runtime"),
}
LAZY = {"spikehalt": ("numpy", "PIL")}  # named where pixels are decoded, imported when it is called
# Imports every module of a package while the forbidden ones cannot be imported.
PROBE = """
import importlib, pkgutil, sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {forbidden!r}:
            raise ImportError(f"{{name}} is out of bounds for {package}")
sys.meta_path.insert(0, Wall())
package = importlib.import_module({package!r})
{every}
loaded = {{name.split(".")[0] for name in sys.modules}}
assert not loaded & set({forbidden!r}), loaded & set({forbidden!r})
"""
EVERY = """
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def probe(package: str, every: bool) -> subprocess.CompletedProcess[str]:
    code = PROBE.format(forbidden=FORBIDDEN[package], package=package, every=EVERY if every else "")
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_package_imports_where_its_forbidden_ones_cannot_be(package: str) -> None:
    result = probe(package, every=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("package", ["runtime", "spikehalt"])
def test_every_module_imports_without_the_forbidden_ones(package: str) -> None:
    result = probe(package, every=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_no_source_names_a_forbidden_package(package: str) -> None:
    offences = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in imported(path)
        if name in FORBIDDEN[package] and name not in LAZY.get(package, ())
    ]
    # A backend may look at onnx files by itself, but only ONNX Runtime parses them for the engine.
    assert not offences, "\n".join(offences)


def imported(path: Path) -> set[str]:
    """Top-level names of every import statement in a file, lazy ones included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).split(".")[0])
    return found


def test_the_wall_itself_stops_a_forbidden_import() -> None:
    code = PROBE.format(forbidden=("logging",), package="runtime", every="")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode != 0
