"""Valid files of every kind that the readers take: what fuzzing starts from."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
from PIL import Image

from runtime.bundle import EnergySpec, ExitSpec, FileEntry, InputSpec
from tests.runtime.toy import toy_files, toy_manifest

MANIFEST = toy_manifest(
    files={
        name: FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        for name, data in toy_files(toy_manifest()).items()
    },
    exit=ExitSpec(default="entropy", entropy=0.3, halting=2.0, calibration={"images": 3}),
    energy=EnergySpec(once_mj=1, per_timestep_mj=0.5, per_token_mj=(0.1, 0.2), source="x"),
)
GRAPH = toy_files(toy_manifest())["next.onnx"]
IMAGE = InputSpec(kind="image", height=4, width=6, channels=3)
FRAMES = InputSpec(kind="frames", height=4, width=6, channels=2, timesteps=3)


def encoded(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)).save(buffer, format)
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


PICTURES = [encoded(format) for format in ("png", "jpeg", "gif", "bmp", "webp", "tiff")]
PLAIN = npy(np.ones((3, 2), np.float32))
EVENTS = npz(frames=np.ones((3, 2, 4, 6), np.float32))
RECORDING = {
    "logits": np.zeros((2, 4, 3), np.float32),
    "halt_score": np.zeros((2, 4), np.float32),
    "live_tokens": np.zeros((2, 4, 2), np.int32),
}
