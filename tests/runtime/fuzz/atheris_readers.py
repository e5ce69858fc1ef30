"""Coverage-guided fuzzing of the file readers with atheris (a nightly tool, not a test).

    pip install atheris
    python -m tests.runtime.fuzz.atheris_readers manifest -atheris_runs=100000
    python -m tests.runtime.fuzz.atheris_readers graph CORPUS_FOLDER -max_total_time=600

Targets: manifest, graph, image, array, frames. Anything but a documented exception is a crash.
Without a corpus folder it starts from valid files: nobody guesses a zip or a PNG from nothing.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["runtime"]):
    from runtime.backends.onnxruntime.files import external_files
    from runtime.bundle import Manifest
    from runtime.inputs.files import decode_frames, decode_image
    from runtime.inputs.npz import read_array
    from spikehalt.errors import SpikehaltError

from tests.runtime.fuzz import seeds

TARGETS: dict[str, Callable[[bytes], object]] = {
    "manifest": lambda data: Manifest.from_json(data.decode("utf-8", "replace")),
    "graph": lambda data: external_files(data, "x.onnx"),
    "image": lambda data: decode_image(data, "x", seeds.IMAGE),
    "array": lambda data: read_array(data, "frames", 4096, "x.npz"),
    "frames": lambda data: decode_frames(data, "x", seeds.FRAMES),
}
SEEDS: dict[str, list[bytes]] = {
    "manifest": [seeds.MANIFEST.to_json().encode()],
    "graph": [seeds.GRAPH],
    "image": seeds.PICTURES,
    "array": [seeds.EVENTS],
    "frames": [seeds.EVENTS],
}


def main(arguments: list[str]) -> None:
    """Fuzz the target that the first argument names; the others go to libFuzzer."""
    name, options = arguments[1], arguments[2:]
    target = TARGETS[name]

    def one(data: bytes) -> None:
        try:
            target(data)
        except SpikehaltError:
            return

    if all(option.startswith("-") for option in options):
        options.append(seed_corpus(name))
    atheris.Setup([arguments[0], *options], one)
    atheris.Fuzz()


def seed_corpus(name: str) -> str:
    """A new folder with the valid files of a target; libFuzzer ends the process, so it stays."""
    folder = Path(tempfile.mkdtemp(prefix=f"spikehalt-{name}-"))
    for number, data in enumerate(SEEDS[name]):
        (folder / str(number)).write_bytes(data)
    return str(folder)


if __name__ == "__main__":
    main(sys.argv)
