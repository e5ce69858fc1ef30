from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikehalt.console import print_whatever_the_encoding


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "python -m train run RECIPE"),
        (["run", "digits", "--help"], "--static.learning-rate"),
        (["run", "ε"], "error: no recipe '\\u03b5'"),
    ],
)
def test_letters_that_an_output_lacks_do_not_stop_a_command(
    arguments: list[str], shown: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "train", *arguments],
        capture_output=True, cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert process.returncode == (2 if "ε" in arguments else 0), process.stderr
    assert b"Traceback" not in process.stderr
    said = process.stderr if "ε" in arguments else process.stdout
    assert shown in said.decode("cp1252")


def test_an_output_that_cannot_be_set_up_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    print_whatever_the_encoding()
