"""Images that commands are given: `--images PATH…`."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle.manifest import Manifest
from runtime.inputs.files import find_samples, load_sample


def load_images(arguments: argparse.Namespace, manifest: Manifest, count: int) -> NDArray[Any]:
    """At most `count` of the images, as the bundle takes them.

    Args:
        arguments: `images`, `split` and `fit`, as `runtime.cli.options.add_images` declares them.
        manifest: of the bundle.
        count: how many; they are spread over all that are found.

    Raises:
        InputError: a path does not exist, nothing was found, or a file is not readable.
    """
    samples = find_samples(arguments.images, manifest.input, arguments.split)
    step = max(len(samples) // count, 1)  # spread over all classes
    chosen = samples[::step][:count]
    return np.stack([load_sample(each, manifest.input, arguments.fit) for each in chosen])
