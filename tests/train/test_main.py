from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HIDE = """
import runpy, sys
for name in {names!r}:
    sys.modules[name] = None  # importing it now raises ModuleNotFoundError
sys.argv = ["train", *{arguments!r}]
runpy.run_module("train", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("names", "arguments"),
    [
        (("torch",), ["evaluate", "x.pt"]),
        (("torch",), ["run", "digits"]),
        (("rich", "rich.logging"), ["recipes"]),
        (("yaml",), ["recipes"]),
        (("yaml",), ["run", "digits"]),
    ],
)
def test_without_the_extra_its_name_is_said(names: tuple[str, ...], arguments: list[str]) -> None:
    process = subprocess.run(
        [sys.executable, "-c", HIDE.format(names=names, arguments=arguments)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.returncode == 2, process.stderr
    (said,) = process.stderr.splitlines()
    assert f"needs {names[0]}, which is not installed: pip install" in said
    assert "[train]" in said
