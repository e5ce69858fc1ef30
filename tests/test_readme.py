"""The README's export and embed examples run as printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from spikehalt.__main__ import main
from train.checkpoint import Checkpoint, save_checkpoint
from train.models import SpikingTransformer
from train.recipes import load_recipe

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources and an (untrained) checkpoint where the README says it is."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "export").symlink_to(ROOT / "export")
    model = load_recipe("digits").model
    weights = SpikingTransformer(model).state_dict()
    classes = tuple(str(n) for n in range(10))
    save_checkpoint(folder / "demo-out/halting.pt", Checkpoint(model, weights, classes, "halting"))
    return folder


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


def run(folder: Path, *command: str) -> str:
    """What a Python of its own says."""
    result = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_export_and_embed_examples_run_as_printed(board: Path) -> None:
    (export,) = [b for b in blocks("sh") if "to_trt.py" in b]
    run(board, *shlex.split(export.splitlines()[0])[1:])
    (embed,) = blocks("python")
    answers = run(board, "-c", embed).splitlines()
    assert len(answers) == 2 and all(len(line.split()) == 4 for line in answers)
    (info,) = [b for b in blocks("sh") if "spikehalt info" in b]
    assert "spikformer-3-64" in run(board, "-m", *shlex.split(info.splitlines()[0]))


@pytest.mark.slow
def test_training_commands_of_the_readme_are_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within this process: `spikehalt` itself is run above."""
    (train,) = [b for b in blocks("sh") if "spikehalt train" in b]
    recipes, training, resuming = (shlex.split(line)[1:] for line in train.splitlines())
    assert main(recipes) == 0 and "digits" in capsys.readouterr().out
    quick = ["--static.epochs", "0", "--halting.epochs", "1", "--out", str(tmp_path)]
    assert main([*training[:-2], *quick]) == 0
    assert main([resuming[0], str(tmp_path / "last.pt")]) == 0
