"""Reading shows itself on stderr, and on a terminal alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.train.samples import tiny_model, write_image
from train.config import DataConfig
from train.data import load_data
from train.data.bar import reading_bar


def test_reading_writes_nothing_where_figures_go(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(8):
        write_image(tmp_path / "train" / "ab"[number % 2] / f"{number}.png", np.zeros((8, 8), "u1"))
    load_data(DataConfig("folder", str(tmp_path), 0.25), tiny_model(classes=2), seed=0)
    assert capfd.readouterr().out == ""


def test_the_bar_ends_with_what_it_shows() -> None:
    with reading_bar([1, 2], 2, "reading") as bar:
        assert list(bar) == [1, 2]
