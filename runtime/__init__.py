"""Run exported spiking vision transformers with early exit.

    from runtime import Engine

    with Engine("ckpt.bundle") as engine:
        result = engine(images)                  # uint8 [B, H, W, C]

Needs numpy and one backend (ONNX Runtime by default); never torch. Logs through `logging` under
"runtime", silent by default; every exception is a `runtime.errors.SpikehaltError`.
"""

import logging

from runtime.bundle.manifest import Manifest
from runtime.bundle.read import Bundle
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

logging.getLogger(__name__).addHandler(logging.NullHandler())
