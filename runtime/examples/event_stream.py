"""Classify recordings of an event camera, one file after the other.

    python -m runtime.examples.event_stream ckpt.bundle recordings/

Every .npz file holds one sample as an array `frames` [T, 2, H, W].
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runtime import Engine
from runtime.examples import command
from runtime.inputs.files import find_samples, load_sample
from spikehalt.console import say


def main(arguments: Sequence[str]) -> None:
    """Write one line per file; the next one is read while this one runs."""
    path, folder = command.paths(
        __doc__,
        arguments,
        bundle="folder written by `python -m export.to_trt`",
        folder="of .npz files",
    )
    with Engine(path) as engine:
        spec = engine.manifest.input
        samples = find_samples([folder], spec)
        for streamed in engine.stream(samples, prepare=lambda each: load_sample(each, spec)):
            name, answer = samples[streamed.index].name, streamed.result
            say(f"{name}: {answer.name} after {answer.timesteps} timestep(s)")


if __name__ == "__main__":
    sys.exit(command.run(main))
