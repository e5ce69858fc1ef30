"""Coverage-guided fuzzing of the file readers with atheris (a nightly tool, not a test).

    pip install atheris
    python -m tests.runtime.fuzz.atheris_readers manifest -atheris_runs=100000
    python -m tests.runtime.fuzz.atheris_readers graph CORPUS_FOLDER -max_total_time=600

Targets: manifest, graph, image, array. Anything but a documented exception is a crash.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["runtime"]):
    from runtime.bundle import InputSpec, Manifest
    from runtime.errors import SpikehaltError
    from runtime.npz import read_array
    from runtime.onnx_files import external_files
    from runtime.samples import decode_image

IMAGE = InputSpec(kind="image", height=4, width=6, channels=3)

TARGETS: dict[str, Callable[[bytes], object]] = {
    "manifest": lambda data: Manifest.from_json(data.decode("utf-8", "replace")),
    "graph": lambda data: external_files(data, "x.onnx"),
    "image": lambda data: decode_image(data, "x", IMAGE),
    "array": lambda data: read_array(data, "frames", 4096, "x.npz"),
}


def main(arguments: list[str]) -> None:
    """Fuzz the target that the first argument names; the others go to libFuzzer."""
    target = TARGETS[arguments[1]]

    def one(data: bytes) -> None:
        try:
            target(data)
        except SpikehaltError:
            return

    atheris.Setup([arguments[0], *arguments[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
