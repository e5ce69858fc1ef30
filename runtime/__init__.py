"""Run exported spiking vision transformers with early exit.

    from runtime import Engine

    with Engine("ckpt.bundle") as engine:
        result = engine(images)                  # uint8 [B, H, W, C]

Needs numpy and one backend (ONNX Runtime by default); never torch. Logs through `logging` under
"runtime", silent by default; every exception is a `runtime.errors.SpikehaltError`.

Rooms, each of which imports only those below it:

    cli          the commands of `python -m runtime`
    examples     complete programs
    triton       bundles in Triton Inference Server
    live         a local page on which a bundle is watched at work
    ray          bundles on a Ray cluster
    serve        bundles over HTTP
    bulk         many images, in shards whose results are files
    report       one HTML page about a bundle on some files
    doctor       what runs bundles on this machine
    measure      speed and energy of a bundle
    engine       Engine: the one call
    opening      what an engine is made of
    calibration  finding exit thresholds on labelled images
    drawing      charts and pictures
    early_exit   the loop over timesteps: who goes on, who leaves
    testing      Engine without a backend, for tests of applications
    backends     what runs the graphs
    results      what an engine answers, and what it counts
    inputs       files and arrays, checked
    sensors      counters of energy
    bundle       the folder that an engine opens
    errors       every exception
"""

import logging
from typing import TYPE_CHECKING

from spikehalt.packages.lazy import lazily

if TYPE_CHECKING:
    from runtime.bundle import Bundle, Manifest
    from runtime.engine import Engine
    from runtime.results.result import ImageResult, Result
    from runtime.results.trajectory import Trajectory
    from spikehalt.errors import SpikehaltError

__all__ = [
    "Bundle",
    "Engine",
    "ImageResult",
    "Manifest",
    "Result",
    "SpikehaltError",
    "Trajectory",
]

__getattr__ = lazily(
    __name__,
    {
        "Bundle": "runtime.bundle",
        "Engine": "runtime.engine",
        "ImageResult": "runtime.results.result",
        "Manifest": "runtime.bundle",
        "Result": "runtime.results.result",
        "SpikehaltError": "spikehalt.errors",
        "Trajectory": "runtime.results.trajectory",
    },
)
logging.getLogger(__name__).addHandler(logging.NullHandler())
