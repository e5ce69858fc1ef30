from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from spikehalt.strict import to_dict
from tests.train.cli.calling import call
from tests.train.samples import quick_run, write_image
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


def test_a_used_folder_is_written_over_only_when_asked(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    for name in ("halting.pt", "last.pt"):
        (out / name).write_bytes(b"of another run")
    assert main(["run", recipe]) == 2
    said = capsys.readouterr().err
    assert "holds a run already (halting.pt, last.pt)" in said and "--overwrite" in said
    assert (out / "halting.pt").read_bytes() == b"of another run"
    unread = ["--data.name", "folder", "--data.path", str(tmp_path / "nowhere")]
    assert main(["run", recipe, "--overwrite", *unread]) == 2
    assert (out / "halting.pt").read_bytes() == b"of another run"  # nothing was read yet
    (out / "log.csv").write_text("of another run")
    assert main(["run", recipe, "--overwrite", "--loss.teacher", "nowhere.pt2"]) == 2
    kept = [(out / name).read_text() for name in ("halting.pt", "last.pt", "log.csv")]
    assert kept == ["of another run"] * 3
    assert main(["run", recipe, "--overwrite", "--halting.epochs", "0", "--model.depth", "1"]) == 0
    assert not (out / "halting.pt").exists() and load_checkpoint(out / "static.pt").phase


@pytest.mark.parametrize("anew", ["--all-phases", "--new-head"])
def test_a_start_is_not_written_over_by_a_run_that_begins_anew(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], anew: str
) -> None:
    out = tmp_path / "run"
    assert main(["run", recipe, "--halting.epochs", "0"]) == 0
    before = (out / "static.pt").read_bytes()
    start = ["--start", str(out / "last.pt"), "--halting.epochs", "0"]
    assert main(["run", recipe, *start, anew]) == 2
    assert "holds a run already (static.pt, last.pt)" in capsys.readouterr().err
    assert (out / "static.pt").read_bytes() == before
    assert main(["run", recipe, *start, anew, "--overwrite"]) == 0


def test_ctrl_c_before_anything_is_saved_says_so(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from train.loop import run as module

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "load_data", pressed)
    assert main(["run", recipe]) == 130
    assert capsys.readouterr().err == f"stopped before anything was saved in {tmp_path / 'run'}\n"


def test_options_that_name_no_checkpoint_or_change_what_is_over_are_refused(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for anew in ("--new-head", "--all-phases"):
        assert main(["run", recipe, anew]) == 2
        assert "name it with --start" in capsys.readouterr().err
        assert main(["run", recipe, anew, "--start", "x.pt", "--resume"]) == 2
        assert "needs neither --all-phases nor --new-head" in capsys.readouterr().err


def test_a_checkpoint_resumes_where_its_data_moved_to_with_fewer_images_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for index in range(24):
        split = "train" if index < 20 else "test"
        pixels = np.full((8, 8), 10 * index, np.uint8)
        write_image(data / split / "ab"[index % 2] / f"{index}.png", pixels)
    (data / "train" / "a" / "0.png").write_bytes(b"broken")
    path = tmp_path / "recipe.yaml"
    images = {"name": "folder", "path": str(data), "skip_unreadable": 0.05}
    model = {"classes": 2, "depth": 1}
    changes = {"data": images, "model": model, "batch_size": 8, "halting": {"epochs": 0}}
    path.write_text(yaml.safe_dump(to_dict(quick_run(tmp_path / "run", **changes))))
    assert main(["run", str(path)]) == 0
    data.rename(tmp_path / "moved")
    last = str(tmp_path / "run" / "last.pt")
    assert main(["resume", last, "--static.epochs", "2"]) == 2
    assert "does not exist" in capsys.readouterr().err
    moved = ["--data.path", str(tmp_path / "moved"), "--static.epochs", "2"]
    assert main(["resume", last, *moved]) == 0
    finished = load_checkpoint(tmp_path / "run" / "static.pt")
    assert finished.run["data"]["path"] == str(tmp_path / "moved")
    (record,) = finished.metrics["history"]
    assert set(record["changed"]) == {"data.path", "static.epochs"}
    # Two classes more, and the head alone is new.
    for name in "cd":
        write_image(tmp_path / "moved" / "train" / name / "0.png", np.zeros((8, 8), np.uint8))
    start = ["run", str(path), "--start", last, "--data.path", str(tmp_path / "moved")]
    start += ["--out", str(tmp_path / "new"), "--model.classes", "4", "--static.epochs", "1"]
    assert main(start) == 2
    assert "--new-head" in capsys.readouterr().err
    assert main([*start, "--new-head"]) == 0
    assert load_checkpoint(tmp_path / "new" / "static.pt").classes == tuple("abcd")
    # A test part alone, without validation images to choose thresholds by.
    shutil.rmtree(tmp_path / "moved" / "train")
    checkpoint = str(tmp_path / "run" / "static.pt")
    capsys.readouterr()
    assert main(["evaluate", checkpoint, "--data-path", str(tmp_path / "moved")]) == 0
    said, notes = capsys.readouterr()
    assert "never" in said and "entropy" not in said and "no validation images" in notes
    only = ["evaluate", checkpoint, "--data-path", str(tmp_path / "moved"), "--policy", "entropy"]
    assert main(only) == 2
    assert "ask for --policy never" in capsys.readouterr().err
