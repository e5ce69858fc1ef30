"""Images and event files on disk, found by path and decoded to what a bundle takes.

Images need pillow (`pip install 'spikehalt[cli]'`); event files (.npz with an array `frames`
[T, C, H, W]) need numpy only. A folder or a zip may be laid out as `…/<class>/file`: the folder a
file lies in is its label.
"""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec
from runtime.errors import InputError
from runtime.inputs.npz import read_array
from spikehalt.extras import require_extra

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"})
FRAME_SUFFIXES = frozenset({".npz"})
MAX_FILE_BYTES = 256 * 2**20
MAX_PIXELS = 2**26  # 67 megapixels: what a camera gives, and at most 270 MB decoded
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

Fit = Literal["resize", "crop"]


@dataclass(frozen=True)
class Sample:
    """One file, on disk or in a zip.

    Attributes:
        name: its path, for people.
        label: name of the folder it lies in.
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
            InputError: it cannot be read, or is larger than `MAX_FILE_BYTES`.
        """
        try:
            return _read_plain(self.file) if self.member is None else self._read_member()
        except InputError:
            raise
        except Exception as error:  # zipfile and zlib raise many kinds on damaged files
            raise InputError(f"{self.name} cannot be read: {error}") from error

    def _read_member(self) -> bytes:
        assert self.member is not None
        archive = _opened(self.file)
        _refuse_large(self.name, archive.getinfo(self.member).file_size)
        return archive.read(self.member)


def find_samples(
    paths: Sequence[str | Path], spec: InputSpec, split: str | None = None
) -> list[Sample]:
    """Files, and files below folders and in zips, in a stable order.

    Args:
        paths: files, folders or zips.
        spec: the bundle's input; decides which suffixes count.
        split: only files below a folder of this name, such as "test".

    Raises:
        InputError: a path does not exist, or nothing was found.
    """
    suffixes = FRAME_SUFFIXES if spec.kind == "frames" else IMAGE_SUFFIXES
    samples = [sample for path in paths for sample in _below(Path(path), suffixes)]
    if split is not None:
        samples = [each for each in samples if split in PurePosixPath(each.name).parts[:-1]]
    if not samples:
        where = ", ".join(map(str, paths))
        below = f" below a folder {split!r}" if split else ""
        raise InputError(f"no files ending in {', '.join(sorted(suffixes))}{below} in {where}")
    return samples


def spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of the samples, spread evenly over all, and so over their classes."""
    picks = np.linspace(0, len(samples) - 1, min(most, len(samples))).round()
    return [samples[int(pick)] for pick in picks]


def load_sample(sample: Sample, spec: InputSpec, fit: Fit = "resize") -> NDArray[Any]:
    """Decode one file to what the bundle takes.

    Args:
        sample: the file.
        spec: the bundle's input.
        fit: "resize" stretches images to the bundle's size; "crop" keeps their aspect, scales the
            shorter side and cuts out the centre.

    Returns:
        uint8 [H, W, C], or float32 [T, C, H, W].

    Raises:
        InputError: the file is not an image, or not such frames.
        MissingExtraError: pillow is not installed.
    """
    data = sample.read()
    if spec.kind == "frames":
        return decode_frames(data, sample.name, spec)
    return decode_image(data, sample.name, spec, fit)


def decode_image(data: bytes, name: str, spec: InputSpec, fit: Fit = "resize") -> NDArray[np.uint8]:
    """Decode an image file to uint8 [H, W, C]; arguments as for `load_sample`."""
    pillow = _pillow()
    mode = _MODES.get(spec.channels)
    if mode is None:
        raise InputError(f"{name}: image files cannot have the bundle's {spec.channels} channels")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            image = pillow.open(io.BytesIO(data))
            if image.width * image.height > MAX_PIXELS:
                raise InputError(f"{name} has {image.width} × {image.height} pixels, too many")
            pixels = _fitted(pillow, image.convert(mode), spec, fit)
    except InputError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise InputError(f"{name} is not a readable image: {error}") from error
    return np.asarray(pixels, np.uint8).reshape(spec.height, spec.width, spec.channels)


def resize_image(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize uint8 [h, w, C] to [height, width, C], bilinear.

    Raises:
        MissingExtraError: pillow is not installed.
    """
    pillow = _pillow()
    channels = [
        pillow.fromarray(np.ascontiguousarray(pixels[..., c])).resize(
            (width, height), pillow.Resampling.BILINEAR
        )
        for c in range(pixels.shape[-1])
    ]
    return np.stack([np.asarray(channel, np.uint8) for channel in channels], axis=-1)


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
    samples: Sequence[Sample], spec: InputSpec, size: int, fit: Fit = "resize"
) -> Iterator[tuple[list[Sample], NDArray[Any]]]:
    """Decode samples in order, `size` at a time, as [B, …] arrays; errors as `load_sample`."""
    for start in range(0, len(samples), size):
        part = list(samples[start : start + size])
        yield part, np.stack([load_sample(sample, spec, fit) for sample in part])


def class_indices(samples: Iterable[Sample], classes: Sequence[str]) -> NDArray[np.int64]:
    """int64 [N]: the class of every sample, by the folder it lies in.

    Raises:
        InputError: a folder that is not one of the bundle's classes.
    """
    index = {name: number for number, name in enumerate(classes)}
    labels = [sample.label for sample in samples]
    unknown = sorted({label for label in labels if label not in index})
    if unknown:
        raise InputError(
            f"{len(unknown)} folder name(s) are no class of the bundle, such as {unknown[0]!r}; "
            f"its classes are {', '.join(classes[:12])}{', …' if len(classes) > 12 else ''}"
        )
    return np.array([index[label] for label in labels], np.int64)


def _below(path: Path, suffixes: frozenset[str]) -> list[Sample]:
    if path.is_dir():
        return _in_folder(path, suffixes)
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    if path.suffix.lower() == ".zip":
        return _in_zip(path, suffixes)
    return [Sample(str(path), path.absolute().parent.name, path)]


def _in_folder(root: Path, suffixes: frozenset[str]) -> list[Sample]:
    found = []
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        place = Path(folder)
        label = place.absolute().name
        found += [
            Sample((place / name).as_posix(), label, place / name)
            for name in sorted(files)
            if Path(name).suffix.lower() in suffixes and not name.startswith(".")
        ]
    return found


def _in_zip(path: Path, suffixes: frozenset[str]) -> list[Sample]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
    except Exception as error:  # zipfile raises many kinds on damaged files
        raise InputError(f"{path} is not a readable zip: {error}") from error
    return [
        Sample(f"{path.as_posix()}/{name}", PurePosixPath(name).parent.name, path, name)
        for name in names
        if PurePosixPath(name).suffix.lower() in suffixes
    ]


def _opened(path: Path) -> zipfile.ZipFile:
    """The archive, whose directory is read once: that takes longer than a picture of thousands.

    Reading from several threads is safe. A file that was replaced, or a forked process, which would
    share the position in the file, opens it anew.
    """
    status = path.stat()
    return _archive(path, status.st_mtime_ns, status.st_size, os.getpid())


@lru_cache(maxsize=2)
def _archive(path: Path, modified_ns: int, size: int, process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _read_plain(path: Path) -> bytes:
    _refuse_large(str(path), path.stat().st_size)
    return path.read_bytes()


def _refuse_large(name: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise InputError(f"{name} has {size} bytes, the limit is {MAX_FILE_BYTES}")


def _pillow() -> Any:
    return require_extra("PIL.Image", "cli", "reading image files")


def _fitted(pillow: Any, image: Any, spec: InputSpec, fit: Fit) -> Any:
    size = (spec.width, spec.height)
    if image.size == size:
        return image
    bilinear = pillow.Resampling.BILINEAR
    if fit == "resize":
        return image.resize(size, bilinear)
    scale = max(spec.width / image.width, spec.height / image.height)
    wide, high = spec.width / scale, spec.height / scale
    left, top = (image.width - wide) / 2, (image.height - high) / 2
    return image.resize(size, bilinear, box=(left, top, left + wide, top + high))
