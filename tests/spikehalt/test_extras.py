"""What is not installed, and what is installed and cannot be loaded, are two different things."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from spikehalt import extras
from spikehalt.errors import MissingExtraError
from spikehalt.extras import install_command, require_extra

ROOT = Path(extras.__file__).parents[1]
HAND_WRITTEN = r"pip install (?!cmake\b)"  # CMake is a tool of the machine, no extra of ours


def test_a_package_that_is_not_installed_is_told_with_the_command_that_brings_it() -> None:
    with pytest.raises(MissingExtraError) as told:
        require_extra("absent_package.part", "sign", "signing")

    assert str(told.value) == (
        f"signing needs absent_package, which is not installed: {install_command('sign')}"
    )


@pytest.mark.parametrize(
    "loading",
    [
        "raise ImportError('libstdc++.so.6: version GLIBCXX_3.4.32 not found')",
        "raise OSError('libnvinfer.so.10: cannot open shared object file: GLIBCXX')",
        "raise RuntimeError('module compiled against another ABI, GLIBCXX')",
        "raise MemoryError",
    ],
)
def test_a_package_that_cannot_be_loaded_is_told_with_its_own_reason(
    loading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text(loading)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("broken_package", None)

    with pytest.raises(MissingExtraError) as told:
        require_extra("broken_package", "sign", "signing")

    said = str(told.value)
    assert "needs broken_package, which is installed and cannot be loaded: " in said
    assert "GLIBCXX" in said or "more memory than there is" in said


def test_no_message_has_an_install_command_of_its_own() -> None:
    """`install_command` knows where this copy came from; a command written by hand does not."""
    packages = ("spikehalt", "train", "export", "runtime", "plugins", "benchmarks")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources
        if path != Path(extras.__file__)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and re.search(HAND_WRITTEN, str(node.value))
    }
    assert len(sources) > 300 and found == set()
