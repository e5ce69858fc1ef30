"""Classify every image of a folder, in batches; images that are sure leave early.

python -m runtime.examples.classify_folder ckpt.bundle pictures/
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runtime import Engine
from runtime.examples import command
from runtime.inputs.files import batches, find_samples
from spikehalt.console import say


def main(arguments: Sequence[str]) -> None:
    """Write one line per image and the average effort."""
    path, folder = command.paths(
        __doc__, arguments, bundle="folder written by `python -m export.to_trt`", folder="of images"
    )
    with Engine(path) as engine:
        spec = engine.manifest.input
        for samples, images in batches(find_samples([folder], spec), spec, 16):
            for sample, answer in zip(samples, engine(images), strict=True):
                say(f"{sample.name}: {answer.name} ({answer.probability:.2f})")
        stats = engine.stats
    say(
        f"{stats.images} images, {stats.average_timesteps:.2f} timesteps, "
        f"{stats.average_tokens:.3f} of the tokens"
    )


if __name__ == "__main__":
    sys.exit(command.run(main))
