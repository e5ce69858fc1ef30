"""Classify what a camera sees, always the newest frame; a recorded video works the same.

python -m runtime.examples.camera_loop ckpt.bundle 0            # first camera, needs OpenCV
python -m runtime.examples.camera_loop ckpt.bundle clip.mp4     # needs OpenCV
python -m runtime.examples.camera_loop ckpt.bundle clip.gif     # needs pillow
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from runtime import Engine
from runtime.errors import InputError
from runtime.examples import command
from spikehalt.console import say
from spikehalt.extras import require_extra
from spikehalt.reading import reading


def frames_of(source: str) -> Any:
    """An OpenCV capture, or the frames of an animated picture."""
    if source.endswith((".gif", ".webp", ".png")):
        return animation(source)
    cv2 = require_extra("cv2", "video", "reading cameras and videos")
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not capture.isOpened():
        raise InputError(f"{source} cannot be opened: give a camera's number or a video file")
    return capture


def animation(path: str) -> Iterator[np.ndarray]:
    """Frames as uint8 [H, W, 3]."""
    pillow = require_extra("PIL.Image", "cli", "reading animated pictures")
    sequence = require_extra("PIL.ImageSequence", "cli", "reading animated pictures")
    with reading(path, InputError), pillow.open(path, formats=("GIF", "WEBP", "PNG")) as video:
        for frame in sequence.Iterator(video):
            yield np.asarray(frame.convert("RGB"), np.uint8)


def main(arguments: Sequence[str]) -> None:
    """Write one line per frame; a recording is shown whole, a camera drops what is too late."""
    path, source = command.paths(
        __doc__,
        arguments,
        bundle="folder written by `python -m export.to_trt`",
        source="a camera's number, or a video",
    )
    drop = "oldest" if source.isdigit() else None
    with Engine(path) as engine:
        for streamed in engine.stream(frames_of(source), drop=drop):
            answer = streamed.result
            say(
                f"frame {streamed.index}: {answer.name} ({answer.probability:.2f}) after "
                f"{answer.timesteps} timestep(s), {streamed.latency_ms:.1f} ms"
            )


if __name__ == "__main__":
    sys.exit(command.run(main))
