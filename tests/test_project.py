"""The project's own promises: versions agree, extras stay small, the README's commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def pyproject() -> dict:  # type: ignore[type-arg]
    tomllib = pytest.importorskip("tomllib", reason="tomllib comes with Python 3.11")
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


def test_base_install_needs_numpy_alone() -> None:
    assert [re.split(r"[<>=]", d)[0] for d in pyproject()["dependencies"]] == ["numpy"]


def test_every_promised_extra_exists() -> None:
    extras = {"onnxruntime", "gpu", "tensorrt", "export", "train", "dev"}
    assert extras <= set(pyproject()["optional-dependencies"])


def test_every_requirement_has_a_lower_bound_and_a_pin() -> None:
    project = pyproject()
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.M))
    names = {name.lower().replace("_", "-") for name in pinned}
    for requirement in project["optional-dependencies"]["train"] + project["dependencies"]:
        if not requirement.startswith("spikehalt"):
            assert ">=" in requirement, requirement
            assert re.split(r"[<>=]", requirement)[0].lower() in names, requirement


def test_changelog_has_an_entry_for_what_is_being_built() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{pyproject()['version']}]" in text


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
