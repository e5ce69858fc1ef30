from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikehalt.strict import build
from tests.train.cli.calling import call
from tests.train.samples import quick_run, write_image
from train.checkpoint import load_checkpoint, save_checkpoint
from train.cli import main
from train.config import PhaseConfig, TrainConfig
from train.errors import DataError
from train.loop.run import run
from train.measure import policies as measured
from train.measure.evaluate import evaluate
from train.measure.exits import Trace
from train.measure.splits import checkpoint_data


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    run(quick_run(out))
    return out


def test_figures_are_those_of_the_test_images(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    options = ["--epsilon", "0.01", "0.6", "--out", str(out), "--max-drop", "1"]
    assert main(["evaluate", str(trained / "halting.pt"), *options]) == 0
    assert "test images" in " ".join(capsys.readouterr().out.split())
    rows = json.loads(out.read_text())
    found = [(row["epsilon"], row["policy"]) for row in rows]
    policies = ["never", "entropy", "confidence", "halting"]
    assert found == [(epsilon, policy) for epsilon in (0.01, 0.6) for policy in policies]
    checkpoint = load_checkpoint(trained / "halting.pt")
    expected = evaluate(checkpoint.network(), checkpoint_data(checkpoint).test)
    assert rows[0]["accuracy"] == pytest.approx(expected.accuracy[-1])
    assert rows[0]["average_tokens"] == pytest.approx(expected.average_tokens)
    assert rows[4]["average_tokens"] < rows[0]["average_tokens"]
    assert rows[1]["average_timesteps"] == 1.0  # any loss of accuracy was allowed
    assert rows[1]["exits"] == [1.0, 0.0]
    assert rows[0]["accuracy_at_t"] == pytest.approx(list(expected.accuracy))


def test_how_hard_an_image_is_says_the_static_network_beside_the_checkpoint_or_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = str(shutil.copy(trained / "halting.pt", tmp_path))
    options = ["--policy", "never", "--json"]
    assert main(["evaluate", str(trained / "halting.pt"), *options]) == 0
    (beside,) = json.loads(capsys.readouterr().out)
    assert beside["adaptivity"]["ratio"] > 0
    assert main(["evaluate", moved, *options]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)[0]["adaptivity"] is None and "--static" in said.err
    assert main(["evaluate", moved, "--static", str(trained / "static.pt"), *options]) == 0
    assert json.loads(capsys.readouterr().out) == [beside]


@pytest.mark.parametrize("name", ["static", "halting"])
def test_tokens_of_a_finished_checkpoint_merge_at_similarities_named_at_the_call(
    trained: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    command = ["evaluate", str(trained / f"{name}.pt"), "--policy", "never"]
    assert main([*command, "--json", "--merge-threshold", "0", "0.9", "0.05"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["merge_threshold"] for row in rows] == [0, 0.9, 0.05]
    tokens = [row["average_tokens"] for row in rows]
    assert tokens == sorted(tokens, reverse=True)
    assert name == "static" or tokens[0] > tokens[-1]  # so short a static phase leaves no spikes
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == rows[:1]
    assert main([*command, "--merge-threshold", "0.9"]) == 0
    assert "0.9" in capsys.readouterr().out
    assert call([*command, "--merge-threshold", "1.5"]) == 2
    assert "merge_threshold is 1.5" in capsys.readouterr().err


def test_a_static_network_has_no_halting_score(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    assert main(["evaluate", str(trained / "static.pt"), "--json", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert [row["policy"] for row in json.loads(printed)] == ["never", "entropy", "confidence"]
    assert out.read_text() == printed


def test_a_policy_whose_exits_all_cost_too_much_takes_none(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Every image is wrong, and surest, at t = 1."""
    right, surest = torch.tensor([[0, 0], [1, 1]]).bool(), torch.tensor([[0.9, 0.8], [0.5, 0.6]])
    seen = Trace(right, 2 * surest, 1 - surest, surest, torch.ones(2, 2, 1), 1)
    monkeypatch.setattr(measured, "record", lambda *_, **__: seen)
    out = tmp_path / "figures.json"
    assert main(["evaluate", str(trained / "halting.pt"), "--out", str(out)]) == 0
    rows = json.loads(out.read_text())
    assert [row["threshold"] for row in rows] == [0.0, None, None, None]
    assert all((row["accuracy"], row["average_timesteps"]) == (1.0, 2.0) for row in rows)
    assert capsys.readouterr().out.count("no exit") == 3


def test_the_splits_are_those_of_the_training(trained: Path) -> None:
    checkpoint = load_checkpoint(trained / "halting.pt")
    found = evaluate(checkpoint.network(), checkpoint_data(checkpoint).validation)
    assert list(found.accuracy) == checkpoint.metrics["validation_accuracy"]


def test_imported_weights_know_no_images(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    imported = replace(load_checkpoint(trained / "static.pt"), run={}, phase="imported")
    save_checkpoint(tmp_path / "imported.pt", imported)
    assert main(["evaluate", str(tmp_path / "imported.pt")]) == 2
    assert "trained on unknown images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "0"], "batch is 0, must be >= 1"),
        (["--epsilon", "0.1", "1.5"], "epsilon is 1.5, must be in [0, 1)"),
        (["--max-drop", "-0.1"], "max_drop is -0.1, must be >= 0"),
        (["--max-drop=-1%"], "max_drop is -0.01, must be >= 0"),
        (["--max-drop", "much"], "'much' is no share such as 0.005 or 0.5%"),
        (["--max-drop", "1%%"], "'1%%' is no share such as 0.005 or 0.5%"),
        (["--policy", "entrpy"], "(did you mean entropy?)"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["evaluate", "x.pt", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_file_in_no_folder_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "x.pt", "--out", str(tmp_path / "nope" / "x")]) == 2
    said = capsys.readouterr().err
    assert "does not exist; make it" in said and "x.pt" not in said


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Classes of grey 8 x 8 pictures, and a run on them."""
    root = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(("10", "9", "cat")):
        for split, count in (("train", 8), ("val", 3), ("test", 3)):
            for index in range(count):
                pixels = np.full((8, 8), 60 * number + index, np.uint8)
                write_image(root / "data" / split / name / f"{index}.png", pixels)
    data = {"name": "folder", "path": str(root / "data")}
    changes = {"model": {"classes": 3}, "halting": {"epochs": 0}, "batch_size": 8, "data": data}
    run(quick_run(root / "run", **changes))
    return root


def test_labels_keep_the_checkpoints_names_whatever_the_data_lack(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = load_checkpoint(pictures / "run" / "static.pt")
    assert checkpoint.classes == ("10", "9", "cat")
    fewer = Path(shutil.copytree(pictures / "data", tmp_path / "fewer"))
    for split in ("train", "val", "test"):
        shutil.rmtree(fewer / split / "10")
    data = checkpoint_data(checkpoint, str(fewer))
    assert data.test.labels.tolist() == [1, 1, 1, 2, 2, 2]
    assert "has no files of 1 class(es): 10" in capsys.readouterr().err
    (fewer / "train" / "9").rename(fewer / "train" / "dog")
    (fewer / "test" / "9").rename(fewer / "test" / "dog")
    (fewer / "val" / "9").rename(fewer / "val" / "dog")
    options = ["--data-path", str(fewer)]
    assert main(["evaluate", str(pictures / "run" / "static.pt"), *options]) == 2
    said = capsys.readouterr().err
    assert "the checkpoint does not know dog, and the data lack 10, 9" in said


def test_files_of_parts_that_are_not_measured_are_not_read(pictures: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(pictures / "data", tmp_path / "data"))
    for file in (path / "train").rglob("*.png"):
        file.write_bytes(b"damaged")
    (path / "test" / "cat" / "0.png").write_bytes(b"damaged")  # not among the 3 taken
    checkpoint = str(pictures / "run" / "static.pt")
    assert main(["energy", checkpoint, "--data-path", str(path), "--count", "3"]) == 0
    options = ["--split", "validation"]
    assert main(["evaluate", checkpoint, "--data-path", str(path), *options]) == 0


@pytest.mark.parametrize("command", ["evaluate", "energy"])
def test_without_test_images_others_are_taken_only_when_asked_for(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path = Path(shutil.copytree(pictures / "data", tmp_path / "data"))
    shutil.rmtree(path / "test")
    options = [command, str(pictures / "run" / "static.pt"), "--data-path", str(path)]
    assert main(options) == 2
    assert "has no test images; it has 9 for --split validation" in capsys.readouterr().err
    assert main([*options, "--split", "validation"]) == 0
    assert "validation images" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: (part / "10").rename(part / "zebra"), "does not know zebra, and .* lack 10"),
        (lambda part: shutil.rmtree(part / "cat"), "the data lack cat"),
        (lambda part: shutil.copytree(part / "9", part / "emu"), "does not know emu"),
    ],
)
def test_training_goes_on_with_the_same_classes_alone(
    pictures: Path, tmp_path: Path, change: Any, message: str
) -> None:
    copy = Path(shutil.copytree(pictures, tmp_path / "copy"))
    for split in ("train", "val", "test"):
        change(copy / "data" / split)
    start = load_checkpoint(copy / "run" / "last.pt")
    moved = build(
        TrainConfig, {**start.run, "data": {**start.run["data"], "path": str(copy / "data")}}
    )
    for checkpoint in (start, load_checkpoint(copy / "run" / "static.pt")):
        again = replace(moved, halting=PhaseConfig(epochs=1), out=str(tmp_path / "out"))
        with pytest.raises(DataError, match=message):
            run(again, start=checkpoint)
