"""Commands work where stdout cannot show every letter, as on Windows or under LANG=C."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.bundle.read import Bundle
from tests.runtime.conftest import MakeBundle

CLASSES = ("rot", "grün", "蓝")


@pytest.fixture
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(classes=CLASSES)


def run(encoding: str, *arguments: str) -> str:
    """What a command printed."""
    done = subprocess.run(
        [sys.executable, "-m", "runtime", *arguments],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert b"Traceback" not in done.stderr and done.returncode == 0
    return done.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_help_and_tables_are_shown(encoding: str, bundle: Bundle) -> None:
    assert "also try these ?" in run(encoding, "calibrate", "--help")
    out = run(encoding, "info", str(bundle.root))
    assert "block_time" in out and "rot" in out


def test_without_rich_too(bundle: Bundle) -> None:
    code = (
        "import sys; sys.modules['rich'] = None; from runtime.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "info", str(bundle.root)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
    )

    assert done.returncode == 0 and "rot, grün, ?" in done.stdout.decode("cp1252")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_json_loses_no_letter(encoding: str, bundle: Bundle) -> None:
    out = run(encoding, "info", str(bundle.root), "--json")

    assert tuple(json.loads(out)["classes"]) == CLASSES
