from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.studies import teacher
from train.data import load_data
from train.loop.teacher import load_teacher
from train.recipes import load_recipe


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher of the scanned digits."""
    path = tmp_path_factory.mktemp("teacher") / "deep" / "teacher.pt2"
    assert teacher.main(["digits", "--epochs", "4", "--out", str(path)]) == 0
    return path


def test_what_it_writes_teaches_the_recipe_and_knows_the_images(program: Path) -> None:
    config = load_recipe("digits")
    data = load_data(config.data, config.model, config.seed)
    device = torch.device("cpu")
    answers = load_teacher(str(program), config.model, data.classes, device, config.batch_size)
    assert answers is not None
    rows = torch.arange(len(data.validation))
    (batch,) = data.validation.batches([rows])
    with torch.no_grad():
        logits = answers(batch.images.float())
        alone = answers(batch.images[:1].float())
    assert (logits.argmax(-1) == batch.labels).float().mean() > 0.8
    torch.testing.assert_close(alone, logits[:1], rtol=1e-3, atol=1e-3)


def test_it_says_how_many_validation_images_are_right(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    teacher.main(["digits", "--epochs", "1", "--out", str(tmp_path / "t.pt2")])
    said = capfd.readouterr().err
    assert "epoch 1/1  loss" in said and "t.pt2" in said
