from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.train.data.recordings.samples import write_aedat2
from train.cli import main
from train.cli.events import class_of
from train.config import DataConfig, ModelConfig, StemConfig
from train.data import load_data


def test_recordings_become_frames_that_training_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mug", "mug-2", "box-1", "box-2"):
        write_aedat2(tmp_path / f"{name}.aedat")
    files = [str(path) for path in sorted(tmp_path.glob("*.aedat"))]
    cut = [
        "--window-ms",
        "1000",
        "--min-events",
        "1",
        "--frames",
        "3",
        "--size",
        "8",
        "8",
    ]
    for split in ("train", "test"):
        assert main(["events", *files, "--out", str(tmp_path / "frames" / split), *cut]) == 0
    assert "box-2.aedat: 1 samples of box" in capsys.readouterr().out
    model = ModelConfig(
        input="frames", channels=2, timesteps=3, image_size=(8, 8), classes=2,
        stem=StemConfig(kind="sps"),
    )  # fmt: skip
    data = load_data(DataConfig(name="events", path=str(tmp_path / "frames")), model, 0)
    assert data.classes == ("box", "mug")
    (batch,) = data.test.batches([torch.arange(4)])
    assert batch.images.shape == (4, 3, 2, 8, 8) and batch.images.sum() == 12


def test_the_class_is_the_files_name_without_its_number() -> None:
    assert class_of(Path("a/cutter-2.aedat")) == "cutter"
    assert class_of(Path("a/mobile-phone.aedat")) == "mobile-phone"


def test_a_recording_without_a_full_window_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_aedat2(tmp_path / "mug.aedat")
    assert main(["events", str(tmp_path / "mug.aedat"), "--out", str(tmp_path / "out")]) == 2
    assert "no window of 200 ms holds 100 events" in capsys.readouterr().err
