"""Where pictures come from: cameras, videos, files, the demo's digits, and what is dropped."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec, Manifest
from runtime.early_exit.stream import run_stream
from runtime.errors import InputError, MissingExtraError
from runtime.inputs.files import Sample, decode_frames, decode_image, find_samples, load_sample
from runtime.inputs.video import Frame, Video, frame_to_input, is_video
from runtime.report.annotation import enlarged_frame
from runtime.report.pictures import pixels_of
from spikehalt.extras import require_extra

DIGITS = "digits"
CAMERA = "camera"
FIRST_CAMERA = "/dev/video0"
_EVERY_DIGIT = 5  # of these one is a test image, as in training


@dataclass(frozen=True, eq=False)
class Item:
    """One picture.

    Attributes:
        name: what to call it.
        data: gives what a bundle with this input takes of it; InputError where it takes nothing.
        frame: uint8 [h, w, 3], RGB, where it is finer than what bundles take.
    """

    name: str
    data: Callable[[InputSpec], NDArray[Any]]
    frame: NDArray[np.uint8] | None = None

    def picture(self, manifest: Manifest, data: NDArray[Any]) -> NDArray[np.uint8]:
        """uint8 [h, w, 3], RGB: what a bundle sees of it, in finer pixels if there are any.

        Args:
            manifest: of the bundle.
            data: what the bundle takes of it.
        """
        if self.frame is not None:
            return enlarged_frame(manifest, self.frame)
        pixels = pixels_of(data)[..., :3]
        if manifest.input.preprocessing.channel_order == "bgr" and data.ndim == 3:
            pixels = pixels[..., ::-1]
        return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def of_file(sample: Sample) -> Item:
    """A file of a folder or zip."""
    return Item(sample.name, partial(load_sample, sample))


def of_bytes(name: str, content: bytes, max_pixels: int) -> Item:
    """The bytes of a file, decoded as files are."""

    def data(spec: InputSpec) -> NDArray[Any]:
        if spec.kind == "frames":
            return decode_frames(content, name, spec)
        return decode_image(content, name, spec, max_pixels)

    return Item(name, data)


def of_frame(source: str, frame: Frame) -> Item:
    """A frame of a video or camera."""
    name = f"{source} at {frame.time_s:.2f} s"
    return Item(name, partial(frame_to_input, frame, name=source), frame.pixels)


def of_digit(number: int, pixels: NDArray[np.uint8]) -> Item:
    """A scanned digit."""
    name = f"digit {number}"
    return Item(name, partial(frame_to_input, Frame(number, 0.0, pixels), name=name))


class Source(Protocol):
    """Pictures one after the other.

    Attributes:
        name: what to call it.
        rate: pictures per second, where nobody says otherwise.
    """

    name: str
    rate: float

    def items(self) -> Iterator[Item]:
        """The pictures, without end; InputError where one cannot be had."""


class Files:
    """Files, from the first to the last and again.

    Args:
        path: a file, folder or zip.
        spec: the bundle's input, which decides what counts.
        split: only files of it.

    Raises:
        InputError: there are none.
    """

    rate = 2.0

    def __init__(self, path: str, spec: InputSpec, split: str | None = None) -> None:
        self.name = path
        self._samples = find_samples([path], spec, split)

    def items(self) -> Iterator[Item]:
        """See `Source.items`."""
        return map(of_file, itertools.cycle(self._samples))


class Digits:
    """The demo's test images, scikit-learn's scanned digits.

    Args:
        spec: of a bundle that takes images.

    Raises:
        InputError: the bundle takes event frames.
        MissingExtraError: scikit-learn is not installed.
    """

    name, rate = "scanned digits", 2.0

    def __init__(self, spec: InputSpec) -> None:
        if spec.kind != "image":
            raise InputError("the bundle takes event frames, digits are images: name a --source")
        datasets = require_extra("sklearn.datasets", "train", "showing the demo's digits")
        grey = (datasets.load_digits().images[::_EVERY_DIGIT] * 15).astype(np.uint8)
        self._pixels = np.repeat(grey[..., None], 3, axis=3)

    def items(self) -> Iterator[Item]:
        """See `Source.items`."""
        for number in itertools.cycle(range(len(self._pixels))):
            yield of_digit(number, self._pixels[number])


class Film:
    """A video, again and again; of a camera or stream the newest frame.

    Args:
        place: as `runtime.inputs.video.Video` takes it.

    Raises:
        InputError: it cannot be opened.
        MissingExtraError: PyAV is not installed.
    """

    rate = 30.0

    def __init__(self, place: str) -> None:
        self.name = place
        self._first: Video | None = Video(place)  # opened now, so that errors come now

    def items(self) -> Iterator[Item]:
        """See `Source.items`."""
        while True:
            video, self._first = self._first or Video(self.name), None
            with video:
                for frame in newest(video) if video.live else video.frames():
                    yield of_frame(self.name, frame)


class Nothing:
    """No picture, until one is dropped."""

    name, rate = "", 2.0

    def items(self) -> Iterator[Item]:
        """See `Source.items`."""
        return iter(())


def open_source(asked: str | None, spec: InputSpec, split: str | None = None) -> Source:
    """The source that was asked for; without one a camera, or else the digits, or else nothing.

    Args:
        asked: a camera, video, stream, file, folder or zip; "camera" or "digits"; or None.
        spec: the bundle's input.
        split: of a folder or zip, only files of it.

    Raises:
        InputError: it cannot be opened, or gives nothing that the bundle takes.
        MissingExtraError: a package for it is not installed.
    """
    if asked is None:
        return _default(spec)
    if asked == DIGITS and not Path(asked).exists():
        return Digits(spec)
    place = "0" if asked == CAMERA and not Path(asked).exists() else asked
    if not is_video(place):
        return Files(place, spec, split)
    if spec.kind != "image":
        raise InputError(f"{place} is a video, and this bundle takes event frames (.npz)")
    return Film(place)


def _default(spec: InputSpec) -> Source:
    try:
        if Path(FIRST_CAMERA).exists() and spec.kind == "image":
            return Film("0")
        return Digits(spec)
    except (InputError, MissingExtraError):
        return Nothing()


def newest(video: Video) -> Iterator[Frame]:
    """The frames of a live source; those that nobody took in time are left out."""
    passing: Iterator[Any] = run_stream(video.frames(), _as_they_are, queue=1, drop="oldest")
    return (streamed.result for streamed in passing)


def _as_they_are(frames: list[Any]) -> Any:
    return frames
