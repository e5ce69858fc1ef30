"""The original CIFAR-10 and CIFAR-100 archives: Python or binary version, packed or unpacked.

The Python version is made of pickles. They are read by an unpickler that knows numpy's arrays and
nothing else, so that a file cannot run code.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.listing import list_files
from spikehalt.datasets.reading import MAX_FILE_BYTES, check_regular
from spikehalt.datasets.texts import decode_text
from spikehalt.reading import reading
from train.config import DataConfig, ModelConfig
from train.data.base import Dataset, Split, without_validation
from train.data.classes import Known, label_order, renumber
from train.errors import DataError

_SIZE = (32, 32)
_PIXELS = 3 * 32 * 32
_TRAIN = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "train")
_TEST = ("test_batch", "test")
_META = ("batches.meta", "meta", "batches.meta.txt", "fine_label_names.txt")


def load_cifar(data: DataConfig, model: ModelConfig, known: Known | None = None) -> Dataset:
    """Images uint8 [N, 3, 32, 32]; CIFAR-100's labels are the fine ones.

    Raises:
        DataError: not a CIFAR archive, damaged, or the model takes another image size.
    """
    if (model.image_size, model.channels) != (_SIZE, 3):
        raise DataError(
            "CIFAR images are 32 x 32 pixels with three channels; set model.image_size=[32, 32] "
            f"and model.channels=3 (got {list(model.image_size)} and {model.channels})"
        )
    files = _files(Path(data.path))
    with reading(data.path, DataError, "is not a readable CIFAR archive"):
        own = _classes(files, data.path)
        fine = len(own) == 100
        train, test = (
            _split(
                [_batch(f"{data.path}/{name}", files[name], fine) for name in _known(files, stems)],
                own,
            )
            for stems in (_TRAIN, _TEST)
        )
    classes = label_order(own, model, data.path, known)
    train, test = (
        replace(part, labels=renumber(part.labels, own, classes)) for part in (train, test)
    )
    return without_validation(train, test, classes)


def _files(path: Path) -> dict[str, bytes]:
    """Contents by file name."""
    if not path.exists():
        raise DataError(f"{path} does not exist; data.path must be a CIFAR archive or its folder")
    known = {*_TRAIN, *_TEST, *_META}
    known |= {f"{name}.bin" for name in (*_TRAIN, *_TEST)}
    if path.is_dir():
        with raised_as(DataError):
            listing = list_files(path, frozenset())
            found = {PurePosixPath(name).name: name for name in listing.left_out}
            return {name: listing.read(found[name]) for name in sorted(known & set(found))}
    with reading(path, DataError, "is not a readable CIFAR archive"):
        check_regular(path)
        with tarfile.open(path) as archive:
            members = [m for m in archive if m.isfile() and PurePosixPath(m.name).name in known]
            return {PurePosixPath(m.name).name: _content(archive, m) for m in members}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > MAX_FILE_BYTES:
        raise ValueError(f"{member.name} has {member.size} bytes, the limit is {MAX_FILE_BYTES}")
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


def _known(files: dict[str, bytes], stems: tuple[str, ...]) -> list[str]:
    return [name for name in files if PurePosixPath(name).name.removesuffix(".bin") in stems]


def _classes(files: dict[str, bytes], path: str) -> tuple[str, ...]:
    for name in _META:
        if name not in files:
            continue
        if name.endswith(".txt"):
            with raised_as(DataError):
                return tuple(decode_text(files[name], f"{path}/{name}").split())
        meta = _unpickle(f"{path}/{name}", files[name])
        for key in (b"label_names", b"fine_label_names"):
            if key in meta:
                return tuple(label.decode() for label in meta[key])
    raise ValueError(f"no file {', '.join(_META)}")


def _batch(name: str, content: bytes, fine: bool) -> tuple[np.ndarray, np.ndarray]:
    """(images uint8 [n, 3072], labels) of one file."""
    if name.endswith(".bin"):
        prefix = 2 if fine else 1  # CIFAR-100 has the coarse label first
        rows = np.frombuffer(content, np.uint8)
        if rows.size % (_PIXELS + prefix):
            raise ValueError(f"{name} is truncated")
        rows = rows.reshape(-1, _PIXELS + prefix)
        return rows[:, prefix:], rows[:, prefix - 1]
    batch = _unpickle(name, content)
    labels = batch.get(b"fine_labels", batch.get(b"labels"))
    images = batch.get(b"data")
    if labels is None or not isinstance(images, np.ndarray) or images.shape[1:] != (_PIXELS,):
        raise ValueError(f"{name} is not a batch of CIFAR images")
    return images, np.asarray(labels)


def _split(batches: list[tuple[np.ndarray, np.ndarray]], own: tuple[str, ...]) -> Split:
    if not batches:
        raise ValueError("it lacks training or test batches")
    images, labels = (np.concatenate(column) for column in zip(*batches, strict=True))
    if images.dtype != np.uint8 or labels.dtype.kind not in "iu" or len(images) != len(labels):
        raise ValueError("a batch has no bytes as pixels, or not a label for every image")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(own):
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, of {len(own)} classes")
    pixels = torch.from_numpy(images.reshape(-1, 3, *_SIZE).copy())
    return Split(pixels, torch.from_numpy(labels.astype(np.int64)))


class _ArraysOnly(pickle.Unpickler):
    """Knows numpy arrays of plain numbers and nothing else."""

    _ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"holds {module}.{name}, which could run code")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickle(name: str, content: bytes) -> dict[bytes, Any]:
    with reading(name, DataError, "is not a readable CIFAR file"):
        value = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(value, dict):
            raise ValueError(f"it holds a {type(value).__name__}")
        return value
