"""Classify many images, in batches of all sizes, and print how much the process grew.

python -m tests.runtime.soak BUNDLE IMAGES
"""

import sys

import numpy as np

from runtime import Engine


def resident_mb() -> float:
    """Memory of this process, by Linux' /proc."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def main(bundle: str, count: int) -> None:
    with Engine(bundle, policy="halting", threshold=1.5, threads=1) as engine:
        spec = engine.manifest.input
        shape = (64, spec.height, spec.width, spec.channels)
        images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

        def run(images_wanted: int) -> None:
            for number in range(0, images_wanted, 64):
                engine(images[: 1 + number % 64])
                engine(images)

        run(4000)
        before = resident_mb()
        run(count)
        sys.stdout.write(f"{resident_mb() - before}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
