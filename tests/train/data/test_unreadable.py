"""Training files that cannot be read are errors, or left out on request, counted, and few."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.samples import tiny_model, write_image
from train.config import DataConfig
from train.data import Dataset, load_data
from train.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of ten training and two test images, image n of grey value n; two broken."""
    for split, count in (("train", 10), ("test", 2)):
        for name in ("cat", "dog"):
            for index in range(count):
                write_image(
                    tmp_path / split / name / f"{index}.png", np.full((8, 8), index, np.uint8)
                )
    for name in ("cat/3.png", "dog/7.png"):
        (tmp_path / "train" / name).write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    return tmp_path


def load(folder: Path, share: float, stream: bool = False) -> Dataset:
    data = DataConfig("folder", str(folder), stream=stream, workers=0, skip_unreadable=share)
    return load_data(data, tiny_model(classes=2), seed=0)


def test_unreadable_training_files_are_left_out_and_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load(folder, 0.1)
    assert len(data.train) + len(data.validation) == 18
    (note,) = capsys.readouterr().err.splitlines()
    assert "2 of 20 training files cannot be read and are left out: train/cat/3.png" in note
    for part in (data.train, data.validation):
        (batch,) = part.batches([torch.arange(len(part))])
        broken = torch.where(batch.labels == 0, 3, 7)
        assert (batch.images[:, 0, 0, 0] != broken).all()


def test_a_stream_reads_the_next_file_in_their_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load(folder, 0.2, stream=True)
    rows = torch.arange(len(data.train)).split(6)
    for _ in range(2):
        assert sum(len(batch) for batch in data.train.batches(rows)) == len(data.train)
    told = capsys.readouterr().err
    assert told.count("the next file takes its place") <= 2


def test_more_than_the_share_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"more than 1 of 20 training files cannot .*0\.01"):
        load(folder, 0.01)
    with pytest.raises(DataError, match=r"cat/3\.png"):
        load(folder, 0.0)


def test_more_than_the_share_in_a_stream_is_refused(folder: Path) -> None:
    for index in range(9):
        shutil.copy(folder / "train" / "cat" / "3.png", folder / "train" / "dog" / f"{index}.png")
    data = load(folder, 0.1, stream=True)
    with pytest.raises(DataError, match="cannot"):
        list(data.train.batches(torch.arange(len(data.train)).split(4)))


def test_what_ends_a_reading_process_is_told_in_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train.data import stream

    def killed(*_: object, **__: object) -> None:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error.\nAdvice.")

    monkeypatch.setattr(stream, "DataLoader", lambda *_, **__: map(killed, [0]))
    data = load(folder, 0.1, stream=True)
    with pytest.raises(DataError, match=r"a process that reads images failed .*data\.workers=0"):
        list(data.train.batches([torch.arange(2)]))


def test_unreadable_test_files_are_errors_all_the_same(folder: Path) -> None:
    shutil.copy(folder / "train" / "cat" / "3.png", folder / "test" / "cat" / "0.png")
    with pytest.raises(DataError, match=r"test/cat/0\.png"):
        load(folder, 0.5)


@pytest.mark.parametrize("changes", [{"name": "digits"}, {"name": "cifar"}, {"skip_unreadable": 1}])
def test_a_share_that_can_leave_out_nothing_or_everything_is_refused(changes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="skip_unreadable"):
        DataConfig(**{"name": "folder", "path": "x", "skip_unreadable": 0.1, **changes})
