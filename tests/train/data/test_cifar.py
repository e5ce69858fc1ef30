from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from train.config import DataConfig, ModelConfig
from train.data import Dataset, load_data
from train.errors import DataError

ROWS = 4


def pixels(first: int, count: int) -> np.ndarray:
    """Image i is all i."""
    return np.repeat(np.arange(first, first + count, dtype=np.uint8)[:, None], 3072, 1)


def pickled(content: dict[bytes, Any]) -> bytes:
    return pickle.dumps(content, protocol=2)


def cifar10() -> dict[str, bytes]:
    names = [f"kind{n}".encode() for n in range(10)]
    files = {"batches.meta": pickled({b"label_names": names})}
    for number in range(1, 6):
        first = ROWS * (number - 1)
        labels = [(first + row) % 10 for row in range(ROWS)]
        batch = {b"data": pixels(first, ROWS), b"labels": labels}
        files[f"data_batch_{number}"] = pickled(batch)
    files["test_batch"] = pickled({b"data": pixels(100, 2), b"labels": [3, 7]})
    return files


def cifar100() -> dict[str, bytes]:
    names = [f"fine{n}".encode() for n in range(100)]
    batch = {
        b"data": pixels(0, 6),
        b"fine_labels": [90, 91, 92, 93, 94, 95],
        b"coarse_labels": [0] * 6,
    }
    return {
        "meta": pickled({b"fine_label_names": names, b"coarse_label_names": [b"x"] * 20}),
        "train": pickled(batch),
        "test": pickled({**batch, b"data": pixels(50, 6)}),
    }


def binary(files: dict[str, tuple[np.ndarray, list[list[int]]]], names: str) -> dict[str, bytes]:
    rows = {
        name: np.hstack([np.array(labels, np.uint8), images]).tobytes()
        for name, (images, labels) in files.items()
    }
    title = "fine_label_names.txt" if names == "fine" else "batches.meta.txt"
    count = 100 if names == "fine" else 10
    return {**rows, title: "\n".join(f"{names}{n}" for n in range(count)).encode()}


def folder(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-batches/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def read(path: Path, classes: int = 10, **changes: Any) -> Dataset:
    model = ModelConfig(depth=1, dim=8, heads=1, classes=classes, **changes)
    return load_data(DataConfig("cifar", str(path), 0.2), model, seed=0)


@pytest.mark.parametrize("pack", [folder, archive])
def test_cifar10_in_its_python_version(pack: Any, tmp_path: Path) -> None:
    data = read(pack(tmp_path / "cifar", cifar10()))
    assert data.classes[:2] == ("kind0", "kind1")
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 2)
    assert data.test.labels.tolist() == [3, 7]
    images = data.test.images  # type: ignore[attr-defined]
    assert images.shape == (2, 3, 32, 32) and images[:, 2, 5, 9].tolist() == [100, 101]
    train = data.train.images  # type: ignore[attr-defined]
    assert torch.equal(train[:, 0, 0, 0].long() % 10, data.train.labels)


def test_cifar100_has_its_fine_labels(tmp_path: Path) -> None:
    data = read(archive(tmp_path / "cifar", cifar100()), classes=100)
    assert data.test.labels.tolist() == [90, 91, 92, 93, 94, 95] and data.classes[99] == "fine99"


def test_the_binary_versions(tmp_path: Path) -> None:
    ten = binary(
        {
            "data_batch_1.bin": (pixels(0, 5), [[4], [3], [2], [1], [0]]),
            "test_batch.bin": (pixels(9, 2), [[8], [9]]),
        },
        "kind",
    )
    data = read(archive(tmp_path / "ten", ten))
    assert data.test.labels.tolist() == [8, 9] and data.classes[3] == "kind3"
    hundred = binary(
        {
            "train.bin": (pixels(0, 5), [[1, 99]] * 5),
            "test.bin": (pixels(9, 2), [[1, 70], [2, 80]]),
        },
        "fine",
    )
    assert read(archive(tmp_path / "hundred", hundred), 100).test.labels.tolist() == [70, 80]


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("executed"),))


def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {**cifar10(), "test_batch": pickle.dumps({b"data": Malicious()}, protocol=2)}
    with pytest.raises(DataError, match=r"test_batch is not a readable .* could run code"):
        read(folder(tmp_path / "cifar", files))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"batches.meta": b"nothing"}, "batches.meta is not a readable CIFAR file"),
        ({"test_batch": pickled({b"data": 3})}, "test_batch is not a batch of CIFAR images"),
        ({"test_batch": cifar10()["test_batch"][:100]}, "test_batch is not a readable CIFAR file"),
        ({"data_batch_1.bin": b"123"}, "data_batch_1.bin is truncated"),
    ],
)
def test_a_damaged_file_is_named(files: dict[str, bytes], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(folder(tmp_path / "cifar", {**cifar10(), **files}))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a CIFAR archive or its folder"):
        read(tmp_path / "missing")
    (tmp_path / "plain").write_bytes(b"hello")
    with pytest.raises(DataError, match="is not a readable CIFAR archive"):
        read(tmp_path / "plain")
    with pytest.raises(DataError, match="not a readable CIFAR archive: no file batches"):
        read(folder(tmp_path / "empty", {}))
    only_test = {name: c for name, c in cifar10().items() if "data_batch" not in name}
    with pytest.raises(DataError, match="lacks training or test batches"):
        read(folder(tmp_path / "half", only_test))


def test_another_image_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"set model.image_size=\[32, 32\]"):
        read(folder(tmp_path / "cifar", cifar10()), image_size=(16, 16))
