from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.train.cli.calling import call
from tests.train.importing.foreign import REPOSITORIES, state_dict
from train.checkpoint import load_checkpoint
from train.cli import main


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "spikformer.pth"
    torch.save(state_dict(REPOSITORIES[0], 2, 32, 4, 10, seed=0), path)
    return path


SIZES = ["--depth", "2", "--dim", "32", "--heads", "4"]


def test_import_writes_a_checkpoint_of_ours(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, names = tmp_path / "ours.pt", tmp_path / "names.txt"
    names.write_text("\n".join("abcdefghij"))
    options = ["--out", str(out), "--classes-file", str(names)]
    assert main(["import", str(published), "--arch", "spikformer-4-384", *options, *SIZES]) == 0
    checkpoint = load_checkpoint(out)
    assert checkpoint.classes == tuple("abcdefghij") and checkpoint.model.dim == 32
    said = capsys.readouterr().out
    assert "of a spikformer checkpoint" in said and f"{len(checkpoint.weights)} tensors" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "the following arguments are required: --arch"),
        (["--arch", "spikformer-4-348"], "Did you mean 'spikformer-4-384'"),
        (["--arch", "spikformer-4-384"], "the file holds 2 blocks, the model has 4"),
        (["--arch", "spikformer-4-384", "--classes-file", "no.txt"], "no.txt cannot be read"),
    ],
)
def test_what_is_wrong_is_said(
    published: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["import", str(published), *options]) == 2
    assert message in capsys.readouterr().err
    assert call(["import"]) == 2
    assert "the following arguments are required: FILE, --arch" in capsys.readouterr().err
