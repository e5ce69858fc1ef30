"""The wheel in a fresh environment: what `pip install` gives."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from spikehalt.packages.catalogue import COMMANDS

ROOT = Path(__file__).parents[2]
SOURCES = ("spikehalt", "train", "export", "runtime", "plugins")


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `spikehalt` of an environment that holds the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"  # building leaves files beside the sources
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, sources / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(sources)]
    built = run(*build, folder=folder)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv")
    python = folder / "venv/bin/python"
    installed = run(
        *pip, "--python", python, "install", "--no-deps", "--no-index", wheel, folder=folder
    )
    assert installed.returncode == 0, installed.stderr
    return folder / "venv/bin/spikehalt"


def test_the_command_lists_every_command(command: Path) -> None:
    done = run(command, "--help", folder=command.parent)
    assert done.returncode == 0, done.stderr
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_a_missing_package_is_named_with_the_wheel_to_install_it_from(command: Path) -> None:
    done = run(command, "bench", "x.bundle", folder=command.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert "spikehalt bench needs numpy, which is not installed: pip install" in done.stderr
    assert "spikehalt-" in done.stderr and ".whl[onnxruntime]" in done.stderr


def test_files_that_are_no_python_are_in_it(command: Path) -> None:
    (packages,) = command.parents[1].glob("lib/python*/site-packages")
    for name in ("runtime/live/page", "train/recipes"):
        there = {path.name for path in (packages / name).iterdir()}
        assert {path.name for path in (ROOT / name).iterdir() if path.is_file()} <= there


def test_errors_can_be_caught_without_any_package(command: Path) -> None:
    python = command.with_name("python")
    done = run(
        python,
        "-c",
        "import spikehalt; print(spikehalt.ConfigError.__mro__[1])",
        folder=command.parent,
    )
    assert done.stdout == "<class 'spikehalt.errors.SpikehaltError'>\n", done.stderr
