"""Event frames: one `.npz` with an array `frames` [T, 2, H, W] per sample.

Laid out as `train/<class>/…` and `test/<class>/…`, as SpikingJelly's converters leave DVS128
Gesture, or as `<class>/…` alone, as they leave CIFAR10-DVS: there the last samples of each class
are for testing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from spikehalt.datasets.arrays import read_array
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.names import FRAME_SUFFIXES
from spikehalt.datasets.splits import places
from train.config import DataConfig, ModelConfig
from train.data.base import Dataset, ImageSource
from train.data.classes import Known
from train.data.files import Entry, Files, Listing, find_files, make_listing
from train.data.stream import StreamSplit
from train.data.unreadable import decode_all
from train.errors import DataError

_HEADER_BYTES = 16384  # room for what stands before an array


def load_events(data: DataConfig, model: ModelConfig, known: Known | None = None) -> Dataset:
    """Every sample, float32 [N, T, 2, H, W]; shapes must be the model's.

    Raises:
        DataError: missing, not laid out so, without `frames`, of another shape, or not finite.
    """
    files = find_files(data.path, FRAME_SUFFIXES)
    if not files.entries:
        files = _by_class(files, data.test_fraction)
    listing = make_listing(files, model, known, "…/<class>/*.npz, with or without train/, test/")
    strict = replace(data, skip_unreadable=0.0)
    return Dataset(
        _split(listing, listing.train, data, model),
        _split(listing, listing.validation, strict, model),
        _split(listing, listing.test, strict, model),
        listing.classes,
    )


def _by_class(files: Files, test_fraction: float) -> Files:
    """Files without splits, by class; the last of each class, in the order of names, test."""
    by_class: dict[str, list[str]] = defaultdict(list)
    elsewhere = []
    for name, place in zip(files.elsewhere, places(files.elsewhere), strict=True):
        if place.label is None:
            elsewhere.append(name)
        else:
            by_class[place.label].append(name)
    entries = []
    for label, names in by_class.items():
        first_test = len(names) - max(1, round(test_fraction * len(names)))
        entries += [Entry("train", label, name) for name in names[:first_test]]
        entries += [Entry("test", label, name) for name in names[first_test:]]
    return files._replace(entries=entries, elsewhere=tuple(elsewhere))


def _split(
    listing: Listing, entries: list[Entry], data: DataConfig, model: ModelConfig
) -> ImageSource:
    labels = listing.labels(entries)
    if data.stream:
        names = [entry.name for entry in entries]
        return StreamSplit(listing.path, names, labels, decode_events, data, model)
    frames = np.empty((len(entries), *_shape(model)), np.float32)

    def decode(content: bytes, name: str) -> np.ndarray:
        return decode_events(content, name, data, model)

    return decode_all(listing.path, entries, labels, frames, decode, data.skip_unreadable)


def decode_events(content: bytes, name: str, data: DataConfig, model: ModelConfig) -> np.ndarray:
    """An .npz file to float32 [T, 2, H, W].

    Raises:
        DataError: unreadable, without `frames`, of another shape or type, or not finite.
    """
    expected = _shape(model)
    with raised_as(DataError):
        stored = read_array(content, "frames", 8 * int(np.prod(expected)) + _HEADER_BYTES, name)
    if stored.dtype.kind not in "fiub":
        raise DataError(f"{name}: frames are of type {stored.dtype}, must be real numbers")
    if stored.shape != expected:
        raise DataError(
            f"{name}: frames have shape {stored.shape}, the model takes {expected} "
            "(model.timesteps, model.channels, model.image_size)"
        )
    with np.errstate(over="ignore"):  # becomes infinite, which is refused
        frames: np.ndarray = stored.astype(np.float32)
    if not np.isfinite(frames).all():
        raise DataError(f"{name}: frames hold NaN or infinity")
    return frames


def _shape(model: ModelConfig) -> tuple[int, ...]:
    return (model.timesteps, model.channels, *model.image_size)
