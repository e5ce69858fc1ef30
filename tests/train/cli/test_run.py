from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spikehalt.strict import to_dict
from tests.train.cli.calling import call
from tests.train.samples import quick_run
from train.checkpoint import load_checkpoint
from train.cli import main
from train.recipes import recipe_names


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(to_dict(quick_run(tmp_path / "run"))))
    return str(path)


def test_run_takes_changes_and_names_what_it_wrote(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "elsewhere"
    assert main(["run", recipe, "--out", str(out), "--model.depth", "1"]) == 0
    said, notes = capsys.readouterr()
    assert [line.split(":")[0] for line in said.splitlines()] == ["static", "halting"]
    assert "note: export it with: python -m export.to_trt" in notes and "loss" in notes
    assert load_checkpoint(out / "halting.pt").model.depth == 1
    assert main(["run", recipe, "--start", str(out / "static.pt"), "--model.depth", "1"]) == 0


@pytest.mark.parametrize("option", ["--modle.depth", "--model.dephts"])
def test_an_unknown_option_is_refused_with_the_nearest_one(
    recipe: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["run", recipe, option, "3"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: unknown option {option} (did you mean --model.depth?); ")
    assert said.endswith("python -m train run --help lists the arguments")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("dim", "30", "multiple of 8"), ("mlp-ratio", "0", "mlp_ratio is 0.0, must be positive")],
)
def test_a_value_that_makes_no_sense_is_refused(
    recipe: str, key: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", recipe, f"--model.{key}", value]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "digts"], "Did you mean 'digits'"),
        (["run", "digits", "--start"], "argument --start: expected one argument"),
        (["run", "digits", "--start", "no.pt"], "no.pt does not exist"),
        (["run", "digits", "--out", "/dev/null/x"], "the folder /dev/null/x cannot be made"),
        (["resume", "no.pt"], "no.pt does not exist"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    assert capsys.readouterr().out.split() == recipe_names()
