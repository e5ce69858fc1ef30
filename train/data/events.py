"""Event frames: one `.npz` with an array `frames` [T, 2, H, W] per sample.

Laid out as `train/<class>/…` and `test/<class>/…`, as SpikingJelly's converters leave DVS128
Gesture, or as `<class>/…` alone, as they leave CIFAR10-DVS: there the last samples of each class
are for testing.
"""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from pathlib import PurePosixPath

import numpy as np
import torch

from train.config import DataConfig, ModelConfig
from train.data.base import Dataset, ImageSource, Split, without_validation
from train.data.files import Entry, Listing, list_files, make_listing, read_all
from train.data.stream import StreamSplit
from train.errors import DataError

_SUFFIX = frozenset({".npz"})


def load_events(data: DataConfig, model: ModelConfig) -> Dataset:
    """Every sample, float32 [N, T, 2, H, W]; shapes must be the model's.

    Raises:
        DataError: missing, not laid out so, without `frames`, of another shape, or not finite.
    """
    entries = list_files(data.path, _SUFFIX)
    if not entries:
        entries = _split_classes(list_files(data.path, _SUFFIX, _by_class), data.test_fraction)
    listing = make_listing(
        data.path, entries, model, "…/<class>/*.npz, with or without train/, test/"
    )
    train, test = (_split(listing, part, data, model) for part in (listing.train, listing.test))
    return without_validation(train, test, listing.classes)


def _by_class(name: str) -> Entry | None:
    parts = PurePosixPath(name).parts
    return Entry("train", parts[-2], name) if len(parts) >= 2 else None


def _split_classes(entries: list[Entry], fraction: float) -> list[Entry]:
    """The last `fraction` of each class, in the order of names, is for testing."""
    by_class: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_class[entry.label].append(entry)
    split = []
    for members in by_class.values():
        first_test = len(members) - max(1, round(fraction * len(members)))
        split += members[:first_test]
        split += [entry._replace(split="test") for entry in members[first_test:]]
    return split


def _split(
    listing: Listing, entries: list[Entry], data: DataConfig, model: ModelConfig
) -> ImageSource:
    labels = listing.labels(entries)
    if data.stream:
        names = [entry.name for entry in entries]
        return StreamSplit(listing.path, names, labels, decode_events, data, model)
    contents = zip(entries, read_all(listing.path, entries), strict=True)
    frames = [decode_events(content, entry.name, data, model) for entry, content in contents]
    return Split(torch.from_numpy(np.stack(frames)), labels)


def decode_events(content: bytes, name: str, data: DataConfig, model: ModelConfig) -> np.ndarray:
    """An .npz file to float32 [T, 2, H, W].

    Raises:
        DataError: unreadable, without `frames`, of another shape, or not finite.
    """
    expected = (model.timesteps, model.channels, *model.image_size)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if "frames" not in archive.files:
                raise DataError(f"{name} holds {archive.files}, must hold an array called 'frames'")
            frames: np.ndarray = archive["frames"].astype(np.float32)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{name} is not a readable .npz ({error})") from None
    if frames.shape != expected:
        raise DataError(
            f"{name}: frames have shape {frames.shape}, the model takes {expected} "
            "(model.timesteps, model.channels, model.image_size)"
        )
    if not np.isfinite(frames).all():
        raise DataError(f"{name}: frames hold NaN or infinity")
    return frames
