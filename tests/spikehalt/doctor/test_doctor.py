from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import runtime.doctor
from spikehalt.__main__ import main
from spikehalt.doctor import command, extras
from spikehalt.doctor.finding import Finding, broken, not_installed
from spikehalt.extras import install_command

ROOT = Path(__file__).parents[3]
Capture = pytest.CaptureFixture[str]


def examiner(*found: Finding) -> ModuleType:
    """A module that finds what it is told."""
    module = ModuleType("examiner")
    module.findings = lambda: iter(found)  # type: ignore[attr-defined]
    return module


def test_every_extra_of_the_project_is_looked_for() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    section = text.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    names = set(re.findall(r"^([a-z-]+) = \[", section, re.MULTILINE))
    assert set(extras.EXTRAS) == names - {"dev", "gpu"}


def test_a_missing_extra_names_its_modules_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", {"cli": ("tables", ("rich", "no_such_module"))})
    (found,) = extras.findings()
    assert not found.works and found.detail == "tables; missing: no_such_module"
    assert found.remedy == install_command("cli") and found.remedy.startswith("pip install")


def test_an_installed_extra_has_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.setattr(extras, "EXTRAS", {"base": ("arrays", ("numpy",))})
    assert list(extras.findings()) == [
        Finding("extra", "base", True, f"arrays: numpy {np.__version__}")
    ]


def test_what_is_missing_is_told_apart_from_what_is_there() -> None:
    assert not_installed("backend", "b", "json", "cli") is None
    found = not_installed("backend", "b", "no_such_module", "cli")
    assert found is not None and found.remedy == install_command("cli")


def test_a_reason_of_several_lines_becomes_one() -> None:
    assert broken("sensor", "s", ValueError("a\n  b")).detail == "a b"


def test_the_document_holds_every_finding_of_every_part(capsys: Capture) -> None:
    status = main(["doctor", "--json"])
    said = json.loads(capsys.readouterr().out)
    areas = {each["area"] for each in said["findings"]}
    assert areas == {"extra", "backend", "library", "GPU", "sensor", "tool", "training"}
    names = [(each["area"], each["name"]) for each in said["findings"]]
    assert len(set(names)) == len(names)
    works = {each["name"]: each["works"] for each in said["findings"] if each["area"] == "backend"}
    assert works["onnxruntime"] and status == 0
    assert said["machine"]["cpus"] >= 1


@pytest.mark.parametrize(("works", "status"), [(True, 0), (False, 1)])
def test_the_verdict_is_whether_a_backend_runs(
    works: bool, status: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    found = Finding("backend", "b", works, "as it is", "" if works else "pip install b")
    monkeypatch.setattr(command, "import_ours", lambda _: examiner(found))
    assert main(["doctor"]) == status
    line = next(line for line in capsys.readouterr().out.splitlines() if "backend b" in line)
    assert ("pip install b" in line) != works


def test_a_part_that_cannot_be_imported_is_a_finding_too(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def refuse(_: str) -> ModuleType:
        raise ImportError("No module named 'numpy'")

    monkeypatch.setattr(command, "import_ours", refuse)
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [each["name"] for each in found if each["area"] == "package"] == [
        name.split(".")[0] for name in command.EXAMINERS
    ]


def test_the_model_that_tries_a_backend_is_one_identity() -> None:
    onnx = import_module("onnx")
    model = onnx.load_from_string(runtime.doctor.IDENTITY)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Identity"]


def test_a_compiler_that_fails_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plugins import doctor

    wrong = tmp_path / "c++"
    wrong.write_text("#!/bin/sh\necho no licence >&2\nexit 1\n")
    wrong.chmod(0o755)
    monkeypatch.setenv("CXX", str(wrong))
    found = next(each for each in doctor.findings() if each.name == "C++ compiler")
    assert not found.works and "no licence" in found.detail
