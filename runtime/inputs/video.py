"""Frames of video files, cameras and streams, through PyAV (extra `video`).

Frames come upright, as their display matrix says, each with its own time, so a variable frame rate
needs nothing more. Damaged packets of a file are left out and counted.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec
from runtime.errors import InputError
from spikehalt.datasets import pixels
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.reading import check_regular
from spikehalt.extras import require_extra
from spikehalt.reading import reading

VIDEO_SUFFIXES = frozenset(
    {
        ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
        ".mts", ".ogv", ".ts", ".webm", ".wmv",
    }
)  # fmt: skip
_CAMERA = re.compile(r"\d+|/dev/video\d+")
# Where FFmpeg finds a camera of that number, and the input that reads it.
_CAMERAS = {"linux": ("/dev/video{}", "v4l2"), "darwin": ("{}", "avfoundation")}


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video.

    Attributes:
        index: its number in the source, from 0.
        time_s: when it is shown, from the source's start.
        pixels: uint8 [h, w, 3], RGB.
    """

    index: int
    time_s: float
    pixels: NDArray[np.uint8]


def is_camera(source: str) -> bool:
    """Whether a source names a camera: a number that is no file, or a device."""
    return bool(_CAMERA.fullmatch(source)) and not Path(source).is_file()


def is_video(source: str) -> bool:
    """Whether a source is a camera, a stream's address or a video file, by its name."""
    return is_camera(source) or "://" in source or Path(source).suffix.lower() in VIDEO_SUFFIXES


class Video:
    """An opened video file, camera or stream.

    Args:
        source: a path, a camera's number or device, or an address such as rtsp://….
        timeout_s: how long a stream may give nothing.

    Raises:
        InputError: it cannot be opened, holds no video, or is encoded as nothing here can read.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, source: str, timeout_s: float = 10.0) -> None:
        self._av = require_extra("av", "video", "reading videos and cameras")
        self.source, self._timeout_s = source, timeout_s
        self._container = self._open()
        try:
            self._stream = self._video_stream()
        except InputError:
            self.close()
            raise
        self.live = is_camera(source) or ("://" in source and self._container.duration is None)
        self.damaged = 0

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file or camera go."""
        self._container.close()

    def frames(self) -> Iterator[Frame]:
        """Every frame, in order.

        Raises:
            InputError: the camera was unplugged, or the stream broke off or stalled; comes after
                the frames before it.
        """
        index = 0
        try:
            for picture in self._pictures():
                yield Frame(index, self._time_s(picture, index), _upright(picture))
                index += 1
        except self._av.error.FFmpegError as error:
            raise InputError(
                f"{self.source} ended after {index} frames: {self._why(error)}"
            ) from error
        if is_camera(self.source):
            raise InputError(f"{self.source} gives no more frames after {index}: is it plugged in?")
        if index == 0:
            raise InputError(f"{self.source} holds no frame that can be decoded: it is damaged")

    def _pictures(self) -> Iterator[Any]:
        for packet in self._container.demux(self._stream):
            try:
                pictures = packet.decode()
            except self._av.error.InvalidDataError:
                self.damaged += 1
                continue
            yield from pictures

    def _time_s(self, picture: Any, index: int) -> float:
        start = self._stream.start_time or 0
        if picture.pts is not None:
            return float((picture.pts - start) * picture.time_base)
        return index / float(self._stream.average_rate or 25)

    def _open(self) -> Any:
        place, kind = self.source, None
        options: dict[str, str] = {}
        if self.source.isdigit() and is_camera(self.source):
            if sys.platform not in _CAMERAS:
                raise InputError(
                    f"camera {self.source} cannot be opened by its number on {sys.platform}: let "
                    "it be streamed, and give the stream's address"
                )
            pattern, kind = _CAMERAS[sys.platform]
            place = pattern.format(self.source)
        elif is_camera(self.source):
            kind = "v4l2"
        elif "://" not in self.source:
            options["protocol_whitelist"] = "file"  # a file may name others, such as addresses
            with reading(self.source, InputError, "cannot be opened"), raised_as(InputError):
                check_regular(self.source)
        timeout = (self._timeout_s, self._timeout_s)
        try:
            return self._av.open(place, format=kind, timeout=timeout, options=options)
        except (self._av.error.FFmpegError, ValueError) as error:
            raise InputError(f"{self.source} cannot be opened: {self._why(error)}") from error

    def _video_stream(self) -> Any:
        streams = self._container.streams.video
        if not streams:
            raise InputError(f"{self.source} holds no video, or is damaged")
        if streams[0].codec_context is None:
            raise InputError(
                f"{self.source} is encoded in a way for which this PyAV has no decoder: convert "
                "it, such as with ffmpeg -i IN OUT.mp4"
            )
        streams[0].thread_type = "AUTO"
        return streams[0]

    def _why(self, error: Exception) -> str:
        if isinstance(error, (self._av.error.ExitError, self._av.error.TimeoutError)):
            return f"nothing came for {self._timeout_s:g} s"
        if isinstance(error, self._av.error.InvalidDataError):
            return "it is no video that FFmpeg can read, or it is damaged"
        text = str(getattr(error, "strerror", None) or error)
        if isinstance(error, FileNotFoundError) and is_camera(self.source):
            there = sorted(str(path) for path in Path("/dev").glob("video*"))
            return f"there is no such camera, but {', '.join(there) or 'none'}"
        if isinstance(error, OSError) and error.errno is not None:
            return os.strerror(error.errno) if error.errno > 0 else text
        return text


def thinned(
    frames: Iterable[Frame], every: int = 1, max_fps: float | None = None
) -> Iterator[Frame]:
    """Every so many frames, and of these at most so many per second of the video's own time."""
    due_s: float | None = None
    for frame in frames:
        if frame.index % every:
            continue
        if max_fps is not None:
            due_s = frame.time_s if due_s is None else due_s
            if frame.time_s < due_s - 1e-6:
                continue
            due_s = max(due_s, frame.time_s - 0.5 / max_fps) + 1 / max_fps  # a gap is not made up
        yield frame


def frame_to_input(frame: Frame, spec: InputSpec, name: str = "frame") -> NDArray[np.uint8]:
    """What the bundle takes of a frame, as of an image file: uint8 [H, W, C].

    Args:
        frame: of a video.
        spec: the bundle's input.
        name: of the source, for messages.

    Raises:
        InputError: the bundle takes other channels than images have.
        MissingExtraError: Pillow is not installed.
    """
    image = require_extra("PIL.Image", "video", "fitting frames").fromarray(frame.pixels)
    with raised_as(InputError):
        return pixels.image_to_pixels(
            image, name, (spec.height, spec.width), spec.channels, spec.preprocessing
        )


def _upright(picture: Any) -> NDArray[np.uint8]:
    """uint8 [h, w, 3], turned as the display matrix says."""
    stored = picture.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(stored, round(picture.rotation / 90)))
