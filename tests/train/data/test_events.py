from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.samples import tiny_model
from train.config import DataConfig
from train.data import Dataset, load_data
from train.errors import DataError


def frames(value: float) -> np.ndarray:
    return np.full((3, 2, 8, 8), value, np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("clap", "wave")):
        for index in range(6):
            split = "train" if index < 4 else "test"
            path = tmp_path / split / name / f"{index}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path, frames=frames(10 * number + index))
    return tmp_path


def read(path: Path) -> Dataset:
    model = tiny_model(channels=2, classes=2, stem="sps", input="frames")
    return load_data(DataConfig("events", str(path), 0.25), model, seed=0)


def test_frames_and_labels_are_those_of_the_files(folder: Path) -> None:
    data = read(folder)
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 2, 4)
    assert data.test.images.shape == (4, 3, 2, 8, 8) and data.test.images.dtype == torch.float32
    assert data.test.images[:, 0, 0, 0, 0].tolist() == [4, 5, 14, 15]
    assert data.test.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": frames(0)}, r"holds \['data'\], must hold an array called 'frames'"),
        (
            {"frames": frames(0)[:2]},
            r"frames have shape \(2, 2, 8, 8\), the model takes \(3, 2, 8, 8\)",
        ),
        ({"frames": frames(np.nan)}, "frames hold NaN or infinity"),
        ({"frames": np.array([{}], object)}, "is not a readable .npz"),
    ],
)
def test_a_wrong_file_is_named(folder: Path, content: dict[str, np.ndarray], message: str) -> None:
    np.savez(folder / "train" / "wave" / "1.npz", **content)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"wave/1.npz.*{message}"):
        read(folder)


def test_a_truncated_file_is_named(folder: Path) -> None:
    file = folder / "train" / "wave" / "1.npz"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"wave/1.npz is not a readable .npz"):
        read(folder)


def test_a_test_class_without_training_samples_is_refused(folder: Path) -> None:
    np.savez(folder / "test" / "wave" / "9.npz", frames=frames(1))
    (folder / "test" / "jump").mkdir()
    np.savez(folder / "test" / "jump" / "9.npz", frames=frames(1))
    with pytest.raises(DataError, match="test classes jump have no training files"):
        read(folder)


def test_classes_without_a_test_part_are_split_in_the_order_of_names(tmp_path: Path) -> None:
    """As SpikingJelly's converter leaves CIFAR10-DVS."""
    for number, name in enumerate(("clap", "wave")):
        for index in range(10):
            path = tmp_path / name / f"{index}.npz"
            path.parent.mkdir(exist_ok=True)
            np.savez(path, frames=frames(10 * number + index))
    model = tiny_model(channels=2, classes=2, stem="sps", input="frames")
    data = load_data(DataConfig("events", str(tmp_path), test_fraction=0.2), model, seed=0)
    assert data.test.images[:, 0, 0, 0, 0].tolist() == [8, 9, 18, 19]  # type: ignore[attr-defined]
    assert len(data.train) + len(data.validation) == 16


def test_two_layouts_in_a_zip_from_a_mac_are_read_without_its_leftovers(
    folder: Path, tmp_path: Path
) -> None:
    for inside in ("train/", ""):
        with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
            for name in ("clap", "wave"):
                for index in range(8):
                    file = folder / "train" / name / f"{index % 4}.npz"
                    archive.write(file, f"set/{inside}{name}/{index}.npz")
                    archive.writestr(f"__MACOSX/set/{inside}{name}/._{index}.npz", b"\0\5\x16\7Mac")
        data = read(tmp_path / "mac.zip")
        assert len(data.train) + len(data.validation) + len(data.test) == 16
        assert data.classes == ("clap", "wave")


def test_a_shape_that_takes_too_much_is_told_before_it_is_read(folder: Path) -> None:
    np.savez(folder / "train" / "wave" / "1.npz", frames=np.zeros((999, 2, 8, 8)))
    with pytest.raises(DataError, match=r"float64 \[999, 2, 8, 8\], has more than \d+ bytes"):
        read(folder)
    np.savez(folder / "train" / "wave" / "1.npz", frames=frames(0) * 1j)
    with pytest.raises(DataError, match=r"frames are of type complex64, must be real numbers"):
        read(folder)
