from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spikehalt.datasets.preprocessing import Preprocessing
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("caf\u00e9\nb".encode("latin-1"), "names.txt is not UTF-8 text (line 1, byte 3)"),
        (b"crane\nb\ncrane\n", "more than once, such as 'crane'"),
        (b"a\n\nb\n", "has an empty class name"),
    ],
)
def test_a_file_of_names_that_says_too_little_is_refused(
    published: Path, tmp_path: Path, content: bytes, message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    names = tmp_path / "names.txt"
    names.write_bytes(content)
    command = ["import", str(published), "--arch", "spikformer-4-384", *SIZES]
    assert main([*command, "--classes-file", str(names), "--out", str(tmp_path / "o.pt")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "o.pt").exists()


def test_how_the_repository_prepares_images_is_kept(published: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_bytes(b"\xef\xbb\xbf" + "\r\n".join("äbcdefghij").encode())
    options = ["--fit", "crop", "--crop-share=0.875", "--interpolation", "bicubic",
               "--classes-file", str(names), "--out", str(tmp_path / "o.pt")]  # fmt: skip
    assert main(["import", str(published), "--arch", "spikformer-4-384", *SIZES, *options]) == 0
    checkpoint = load_checkpoint(tmp_path / "o.pt")
    assert checkpoint.classes == tuple("äbcdefghij")
    how = Preprocessing(fit="crop", crop_share=0.875, interpolation="bicubic")
    assert checkpoint.preprocessing == how
