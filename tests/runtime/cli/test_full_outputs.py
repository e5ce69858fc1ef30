"""Where a disk is full, every output is told by its name, in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime.bundle import Bundle
from runtime.cli import main
from tests.runtime.conftest import MakeBundle

FULL = "/dev/full"


@pytest.fixture
def pictures(tmp_path: Path, images: NDArray[np.uint8]) -> Path:
    folder = tmp_path / "pictures" / "0"
    folder.mkdir(parents=True)
    for number, image in enumerate(images[:4]):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder.parent


@pytest.mark.parametrize(
    ("command", "option"),
    [("run", "--csv"), ("run", "--jsonl"), ("run", "--annotate"), ("run", "--out"),
     ("report", "--out")],
)  # fmt: skip
def test_a_full_output_is_named(
    bundle: Bundle,
    pictures: Path,
    command: str,
    option: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([command, str(bundle.root), str(pictures), option, FULL]) == 2
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert FULL in line and "Traceback" not in said


def test_a_full_model_repository_is_named(
    make_bundle: MakeBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["triton", str(make_bundle().root), "--out", FULL]) == 2
    assert FULL in capsys.readouterr().err
