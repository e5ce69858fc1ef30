"""Images and event files on disk, found by path and decoded to what a bundle takes.

Images need pillow (the extra `cli`); event files (.npz with an array `frames`
[T, C, H, W]) need numpy only. What counts as one, and what folders say of split and class, is
`spikehalt.datasets`' to define.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec
from runtime.errors import InputError
from runtime.inputs.npz import read_array
from spikehalt.datasets import pixels
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.listing import Listing, describe_left_out, list_files
from spikehalt.datasets.names import FRAME_SUFFIXES, IMAGE_SUFFIXES
from spikehalt.datasets.reading import read_file, read_member
from spikehalt.datasets.sampling import spread
from spikehalt.datasets.splits import normal, places, split_of

__all__ = [
    "Found",
    "Sample",
    "batches",
    "class_indices",
    "decode_frames",
    "decode_image",
    "find_samples",
    "load_sample",
    "resize_image",
    "search",
    "spread",
]


@dataclass(frozen=True)
class Sample:
    """One file, on disk or in a zip.

    Attributes:
        name: its path, for people.
        label: the class that its folders say, or the name of the folder it lies in.
        file: the file, or the zip it is in.
        member: its name in the zip, None for a plain file.
    """

    name: str
    label: str
    file: Path
    member: str | None = None

    def read(self) -> bytes:
        """The file's bytes.

        Raises:
            InputError: it cannot be read, is no regular file, or is too large.
        """
        with raised_as(InputError):
            if self.member is None:
                return read_file(self.file)
            return read_member(self.file, self.member)


@dataclass(frozen=True)
class Found:
    """Samples, and a sentence per path of which something was left out."""

    samples: list[Sample]
    notes: tuple[str, ...]


def find_samples(
    paths: Sequence[str | Path], spec: InputSpec, split: str | None = None
) -> list[Sample]:
    """Files, and files below folders and in zips, in a stable order.

    Args:
        paths: files, folders or zips.
        spec: the bundle's input; decides which suffixes count.
        split: only files of this split, such as "test" (`val`, `valid` and `validation` are one),
            or else below a folder of this name; judged by what lies below the paths.

    Raises:
        InputError: a path does not exist, or nothing was found.
    """
    return search(paths, spec, split).samples


def search(paths: Sequence[str | Path], spec: InputSpec, split: str | None = None) -> Found:
    """`find_samples`, and what was left out."""
    suffixes = FRAME_SUFFIXES if spec.kind == "frames" else IMAGE_SUFFIXES
    parts = [_below(Path(path), suffixes, split) for path in paths]
    samples = [sample for part in parts for sample in part.samples]
    notes = tuple(note for part in parts for note in part.notes)
    if not samples:
        where = ", ".join(map(str, paths))
        below = f" below a folder {split!r}" if split else ""
        rest = "".join(f"; {note}" for note in notes)
        raise InputError(
            f"no files ending in {', '.join(sorted(suffixes))}{below} in {where}{rest}"
        )
    return Found(samples, notes)


def _below(path: Path, suffixes: frozenset[str], split: str | None) -> Found:
    if not path.is_dir() and path.suffix.lower() != ".zip" and path.exists():
        return Found([Sample(str(path), path.absolute().parent.name, path)], ())
    with raised_as(InputError):
        listing = list_files(path, suffixes)
    note = describe_left_out(path, len(listing.files), listing.left_out)
    return Found(_samples(listing, split), () if note is None else (note,))


def _samples(listing: Listing, split: str | None) -> list[Sample]:
    wanted = None if split is None else split_of(split)
    return [
        _sample(listing, name, place.label)
        for name, place in zip(listing.files, places(listing.files), strict=True)
        if split is None or (place.split == wanted if wanted else split in name.split("/")[:-1])
    ]


def _sample(listing: Listing, name: str, label: str | None) -> Sample:
    path = listing.root / name
    folder = label or (path.parent.name if "/" in name else listing.root.absolute().name)
    if listing.is_zip:
        return Sample(listing.path(name), folder, listing.root, name)
    return Sample(listing.path(name), folder, path)


def load_sample(sample: Sample, spec: InputSpec) -> NDArray[Any]:
    """Decode one file to what the bundle takes, as its training did.

    Args:
        sample: the file.
        spec: the bundle's input, `preprocessing` included.

    Returns:
        uint8 [H, W, C], or float32 [T, C, H, W].

    Raises:
        InputError: the file is not an image, or not such frames.
        MissingExtraError: pillow is not installed.
    """
    data = sample.read()
    if spec.kind == "frames":
        return decode_frames(data, sample.name, spec)
    return decode_image(data, sample.name, spec)


def decode_image(
    data: bytes, name: str, spec: InputSpec, max_pixels: int = pixels.MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decode an image file to uint8 [H, W, C]; errors as for `load_sample`."""
    size, how = (spec.height, spec.width), spec.preprocessing
    with raised_as(InputError):
        return pixels.decode_image(data, name, size, spec.channels, how, max_pixels)


def resize_image(image: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Bring uint8 [h, w, C] to the bundle's height and width, as image files are.

    Raises:
        MissingExtraError: pillow is not installed.
    """
    return pixels.fit_pixels(image, (spec.height, spec.width), spec.preprocessing)


def decode_frames(data: bytes, name: str, spec: InputSpec) -> NDArray[np.float32]:
    """Decode an .npz file with an array `frames` to float32 [T, C, H, W]."""
    shape = (spec.timesteps or 1, spec.channels, spec.height, spec.width)
    limit = int(np.prod(shape)) * 8 + 4096
    frames = read_array(data, "frames", limit, name)
    if frames.shape != shape or frames.dtype.kind not in "fiub":
        got = f"{frames.dtype} {list(frames.shape)}"
        raise InputError(f"{name}: frames is {got}, the bundle takes float32 {list(shape)}")
    with np.errstate(over="ignore"):  # becomes infinite, which the engine refuses
        return np.asarray(frames, dtype=np.float32)


def batches(
    samples: Sequence[Sample], spec: InputSpec, size: int
) -> Iterator[tuple[list[Sample], NDArray[Any]]]:
    """Decode samples in order, `size` at a time, as [B, …] arrays; errors as `load_sample`."""
    for start in range(0, len(samples), size):
        part = list(samples[start : start + size])
        yield part, np.stack([load_sample(sample, spec) for sample in part])


def class_indices(samples: Iterable[Sample], classes: Sequence[str]) -> NDArray[np.int64]:
    """int64 [N]: the class of every sample, by the name that its folders say.

    Raises:
        InputError: a name that is not one of the bundle's classes, or that two of them have.
    """
    index = {normal(name): number for number, name in enumerate(classes)}
    labels = [normal(sample.label) for sample in samples]
    unknown = sorted({label for label in labels if label not in index})
    if unknown:
        raise InputError(
            f"{len(unknown)} folder name(s) are no class of the bundle, such as {unknown[0]!r}; "
            f"its classes are {', '.join(classes[:12])}{', …' if len(classes) > 12 else ''}"
        )
    counts = Counter(map(normal, classes))
    twice = sorted({label for label in labels if counts[label] > 1})
    if twice:
        raise InputError(
            f"two of the bundle's classes are called {twice[0]!r}, so the folder of that name says "
            "too little: give the classes names of their own and export again"
        )
    return np.array([index[label] for label in labels], np.int64)
