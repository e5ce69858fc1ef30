"""A service in small: many threads ask for one image each, the engine answers them in batches.

python -m runtime.examples.service ckpt.bundle pictures/
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from runtime import Engine, ImageResult
from runtime.examples import command
from runtime.inputs.files import Sample, find_samples, load_sample
from spikehalt.console import say

THREADS = 8


def main(arguments: Sequence[str]) -> None:
    """Write one line per image and how many calls answered them."""
    path, folder = command.paths(
        __doc__, arguments, bundle="folder written by `python -m export.to_trt`", folder="of images"
    )
    with Engine(path) as engine, ThreadPoolExecutor(THREADS) as clients:
        spec = engine.manifest.input
        samples = find_samples([folder], spec)

        def ask(sample: Sample) -> ImageResult:
            return engine.submit(load_sample(sample, spec)).result()

        for sample, answer in zip(samples, clients.map(ask, samples), strict=True):
            say(f"{sample.name}: {answer.name}")
        stats = engine.stats
    say(f"{stats.images} images in {stats.calls} calls")


if __name__ == "__main__":
    sys.exit(command.run(main))
