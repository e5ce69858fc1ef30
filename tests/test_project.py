"""The project's own promises: what an install needs, what is pinned, what is cited exists."""

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


def test_changelog_begins_with_what_is_being_built_and_says_something_of_it() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    title, content = re.findall(r"^## \[(.+?)\].*\n((?:(?!## ).*\n)+)", text, re.M)[0]
    assert title in ("Unreleased", pyproject()["version"])
    assert re.search(r"^- \S", content, re.M)


def test_the_readme_names_the_wheel_that_is_built() -> None:
    version = pyproject()["version"]
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"spikehalt-[\w.]+-py3-none-any\.whl", text)) == {
        f"spikehalt-{version}-py3-none-any.whl"
    }


def test_every_cited_section_of_the_design_exists() -> None:
    sections = set(re.findall(r"^## (\d+)\.", (ROOT / "docs" / "design.md").read_text(), re.M))
    cited = set()
    for folder in ("train", "export", "runtime", "plugins", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            cited |= set(re.findall(r"design section (\d+)", path.read_text(), re.I))
    assert cited and cited <= sections


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
