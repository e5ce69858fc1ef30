"""Answers for files, one by one, and for videos, frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec
from runtime.early_exit.stream import run_stream
from runtime.engine import Engine
from runtime.errors import InputError
from runtime.inputs.files import Sample, load_sample
from runtime.inputs.video import Frame, Video, frame_to_input, thinned
from runtime.report.annotation import enlarged_frame, enlarged_input
from runtime.results.result import ImageResult, Result
from spikehalt import console


@dataclass(frozen=True, eq=False)
class Answered:
    """What came of a file or a frame.

    Attributes:
        source: the file's path, or what the video was called.
        answer: or why there is none.
        frame: the frame's number in its video; None for a file.
        time_s: when the frame is shown; None for a file.
        picture: uint8 [h, w, 3], to be annotated; None unless asked for.
        sample: the file; None for a video.
    """

    source: str
    answer: ImageResult | InputError
    frame: int | None = None
    time_s: float | None = None
    picture: NDArray[np.uint8] | None = None
    sample: Sample | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values (without the picture)."""
        place: dict[str, Any] = {"path": self.source}
        if self.frame is not None:
            place |= {"frame": self.frame, "time_s": self.time_s}
        if isinstance(self.answer, InputError):
            return {**place, "error": str(self.answer)}
        return {**place, **self.answer.to_dict()}


@dataclass(frozen=True)
class Reading:
    """How sources are read.

    Attributes:
        spec: the bundle's input, as files and frames are to become it.
        batch: images at once.
        pictures: whether answers bring pictures and live masks.
        every: so many frames of a video, one is taken.
        max_fps: most frames per second of a video that are taken.
        timeout_s: how long a stream may give nothing.
    """

    spec: InputSpec
    batch: int
    pictures: bool
    every: int = 1
    max_fps: float | None = None
    timeout_s: float = 10.0


def of_files(engine: Engine, samples: list[Sample], reading: Reading) -> Iterator[Answered]:
    """Answers in order; a file that cannot be read does not stop the others."""
    size = reading.batch
    parts = [samples[start : start + size] for start in range(0, len(samples), size)]
    steps = [len(part) for part in parts]
    for part in console.progress(parts, len(samples), "classifying", steps):
        yield from _of_part(engine, part, reading)


def _of_part(engine: Engine, part: list[Sample], reading: Reading) -> Iterator[Answered]:
    loaded = [_loaded(sample, reading.spec) for sample in part]
    good = [data for data in loaded if not isinstance(data, InputError)]
    answers = iter(_classify(engine, good, reading) if good else ())
    for sample, data in zip(part, loaded, strict=True):
        if isinstance(data, InputError):
            yield Answered(sample.name, data, sample=sample)
        else:
            picture = enlarged_input(engine.manifest, data) if reading.pictures else None
            yield Answered(sample.name, next(answers), picture=picture, sample=sample)


def _loaded(sample: Sample, spec: InputSpec) -> NDArray[Any] | InputError:
    try:
        return load_sample(sample, spec)
    except InputError as error:
        return error


def _classify(engine: Engine, data: list[NDArray[Any]], reading: Reading) -> Result:
    masks = reading.pictures and engine.manifest.live_masks
    return engine(np.stack(data), live_masks=masks)


def of_video(engine: Engine, source: str, reading: Reading) -> Iterator[Answered]:
    """Answers for frames as they come; reading overlaps with inference.

    Of a camera or a live stream, frames that wait too long are left out. A video that breaks off
    ends with an answer that says why, after those before it.

    Raises:
        InputError: the bundle takes no images.
        MissingExtraError: PyAV is not installed.
    """
    if reading.spec.kind != "image":
        raise InputError(
            f"{source} is a video, and this bundle takes event frames: give it files ending in .npz"
        )
    waiting: deque[Frame] = deque()

    def classify(items: list[tuple[Frame, NDArray[np.uint8]]]) -> Result:
        waiting.extend(frame for frame, _ in items)
        return _classify(engine, [data for _, data in items], reading)

    def prepare(frame: Frame) -> tuple[Frame, NDArray[np.uint8]]:
        return frame, frame_to_input(frame, reading.spec, source)

    try:
        with Video(source, reading.timeout_s) as video:
            frames = thinned(video.frames(), reading.every, reading.max_fps)
            drop, batch = ("oldest", 1) if video.live else (None, reading.batch)
            answers = run_stream(
                frames, classify, prepare=prepare, batch=batch, queue=2 * batch, drop=drop
            )
            for streamed in answers:
                frame = waiting.popleft()
                picture = (
                    enlarged_frame(engine.manifest, frame.pixels) if reading.pictures else None
                )
                yield Answered(source, streamed.result, frame.index, frame.time_s, picture)
            if video.damaged:
                console.note(f"{source}: {video.damaged} damaged packet(s) were left out")
    except InputError as error:
        yield Answered(source, error)
