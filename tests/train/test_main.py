from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HIDE = """
import runpy, sys
for name in {names!r}:
    sys.modules[name] = None  # importing it now raises ModuleNotFoundError
sys.argv = ["train", "recipes"]
runpy.run_module("train", run_name="__main__")
"""


@pytest.mark.parametrize("names", [("torch",), ("rich", "rich.logging"), ("tyro",)])
def test_without_the_extra_its_name_is_said(names: tuple[str, ...]) -> None:
    process = subprocess.run(
        [sys.executable, "-c", HIDE.format(names=names)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.returncode == 2, process.stderr
    (said,) = process.stderr.splitlines()
    assert f"{names[0]!r} cannot be imported" in said
    assert said.endswith("pip install 'spikehalt[train]'")
