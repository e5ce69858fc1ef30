from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.train.cli.calling import call
from tests.train.samples import quick_run
from train.checkpoint import load_checkpoint, save_checkpoint
from train.loop.run import run
from train.measure.evaluate import evaluate
from train.measure.splits import checkpoint_data


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    run(quick_run(out, halting={"epochs": 0}))
    start = load_checkpoint(out / "static.pt")
    run(quick_run(out / "more", halting={"epochs": 0}), start=start, all_phases=True)
    return out


def test_the_average_is_measured_and_can_be_used_like_any_checkpoint(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(trained / "static.pt"), str(trained / "more" / "static.pt")]
    out = tmp_path / "new" / "average.pt"
    assert call(["average", *paths, "--out", str(out)]) == 0
    found = load_checkpoint(out)
    one, other = (load_checkpoint(path).weights["head.weight"] for path in paths)
    torch.testing.assert_close(found.weights["head.weight"], (one + other) / 2)
    measured = evaluate(found.network(), checkpoint_data(found).validation)
    assert found.metrics["validation_accuracy"] == list(measured.accuracy)
    assert found.metrics["firing_rates"].keys() > {"head"}
    assert found.metrics["average_of"] == paths
    said = capsys.readouterr().out
    assert f"average of 2: validation accuracy {measured.accuracy[-1]:.2%}" in said
    assert call(["evaluate", str(out), "--policy", "never"]) == 0


def test_what_cannot_be_averaged_is_told_in_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["average", str(trained / "static.pt"), "--out", str(tmp_path / "a.pt")]) == 2
    assert "two checkpoints or more" in capsys.readouterr().err
    assert call(["average", "nowhere.pt", "nowhere.pt", "--out", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_no_checkpoint_is_overwritten_with_its_own_average(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = trained / "static.pt"
    before = path.read_bytes()
    same = str(trained / "more" / ".." / "static.pt")
    paths = [str(path), str(trained / "more" / "static.pt")]
    assert call(["average", *paths, "--out", same]) == 2
    assert "is one of those that are averaged" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_images_that_one_was_trained_on_and_another_holds_out_are_told(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = trained / "static.pt"
    found = load_checkpoint(path)
    other = tmp_path / "other.pt"
    save_checkpoint(other, replace(found, run={**found.run, "seed": 5}))
    out = str(tmp_path / "average.pt")
    assert call(["average", str(path), str(other), "--out", out]) == 0
    assert f"and was 5 where {other}'s weights were trained" in capsys.readouterr().err
    assert call(["average", str(path), str(path), "--out", out]) == 0
    assert "weights were trained" not in capsys.readouterr().err
