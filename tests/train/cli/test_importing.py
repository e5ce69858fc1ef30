from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spikehalt.datasets.preprocessing import Preprocessing
from tests.train.cli.calling import call
from tests.train.importing.foreign import REPOSITORIES, state_dict
from train.checkpoint import load_checkpoint
from train.cli import main

SIZES = ["--heads", "4"]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "spikformer.pth"
    torch.save(state_dict(REPOSITORIES[0], 2, 32, 4, 10, seed=0), path)
    return path


def test_import_writes_a_checkpoint_of_ours(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, names = tmp_path / "ours.pt", tmp_path / "names.txt"
    names.write_text("\n".join("abcdefghij"))
    options = ["--out", str(out), "--classes-file", str(names)]
    assert main(["import", str(published), "--from", "spikformer-cifar", *options, *SIZES]) == 0
    checkpoint = load_checkpoint(out)
    assert checkpoint.classes == tuple("abcdefghij") and checkpoint.model.dim == 32
    assert checkpoint.model.depth == 2 and checkpoint.preprocessing.interpolation == "bicubic"
    said = capsys.readouterr()
    assert f"{len(checkpoint.weights)} tensors" in said.out
    assert "imported from: spikformer-cifar (github.com/ZK-Zhou/spikformer): asked for" in said.err
    assert "the user set: heads 4" in said.err and "attention_scale 0.125" in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "spikformer-cfar"], "did you mean 'spikformer-cifar'"),
        ([], "tensors do not tell how many attention heads there are"),
        (["--depth", "4", *SIZES], "the file holds 2 blocks, the model has 4"),
        (["--from", "sdt-cifar10"], "names of spikformer-linear; those of sdt-cifar10 are sdt"),
        (["--classes-file", "no.txt"], "no.txt cannot be read"),
    ],
)
def test_what_is_wrong_is_said(
    published: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["import", str(published), *options]) == 2
    assert message in capsys.readouterr().err
    assert call(["import"]) == 2
    assert "the following arguments are required: FILE" in capsys.readouterr().err


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
    command = ["import", str(published), *SIZES]
    assert main([*command, "--classes-file", str(names), "--out", str(tmp_path / "o.pt")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "o.pt").exists()


def test_how_the_repository_prepares_images_is_kept(published: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_bytes(b"\xef\xbb\xbf" + "\r\n".join("äbcdefghij").encode())
    options = ["--fit", "crop", "--crop-share=0.875", "--interpolation", "bicubic",
               "--classes-file", str(names), "--out", str(tmp_path / "o.pt")]  # fmt: skip
    assert main(["import", str(published), *SIZES, *options]) == 0
    checkpoint = load_checkpoint(tmp_path / "o.pt")
    assert checkpoint.classes == tuple("äbcdefghij")
    how = Preprocessing(fit="crop", crop_share=0.875, interpolation="bicubic", orientation="stored")
    assert checkpoint.preprocessing == how
