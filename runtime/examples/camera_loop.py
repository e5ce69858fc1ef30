"""Classify what a camera sees, always the newest frame; a recorded video works the same.

python -m runtime.examples.camera_loop ckpt.bundle 0            # first camera
python -m runtime.examples.camera_loop ckpt.bundle clip.mp4
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from runtime import Engine
from runtime.examples import command
from runtime.inputs.video import Video, frame_to_input
from spikehalt.console import say


def main(arguments: Sequence[str]) -> None:
    """Write one line per frame; a recording is shown whole, a camera drops what is too late."""
    path, source = command.paths(
        __doc__,
        arguments,
        bundle="folder written by `python -m export.to_trt`",
        source="a camera's number, or a video",
    )
    with Engine(path) as engine, Video(source) as video:
        prepare = partial(frame_to_input, spec=engine.manifest.input)
        drop = "oldest" if video.live else None
        for streamed in engine.stream(video.frames(), prepare=prepare, drop=drop):
            answer = streamed.result
            say(
                f"frame {streamed.index}: {answer.name} ({answer.probability:.2f}) after "
                f"{answer.timesteps} timestep(s), {streamed.latency_ms:.1f} ms"
            )


if __name__ == "__main__":
    sys.exit(command.run(main))
