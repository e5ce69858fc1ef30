from __future__ import annotations

import runpy
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


def test_ctrl_c_while_modules_are_imported_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pressed:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "train.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "train.cli", raising=False)
    monkeypatch.delitem(sys.modules, "train.__main__", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Pressed, *sys.meta_path])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("train", run_name="__main__")
    assert stop.value.code == 130
    assert capsys.readouterr().err == "stopped before anything was done\n"
