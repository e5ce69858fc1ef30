"""A model repository for Triton: one folder a bundle, with everything that its model needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.bundle import Bundle
from runtime.errors import BundleWriteError
from runtime.triton.config import onnxruntime_config, python_config
from spikehalt.errors import ConfigError
from spikehalt.files import make_folder, put_file, writing

BUNDLE_FOLDER = "model.bundle"
MODEL = '''"""The engine on the bundle beside this file; Triton's Python needs spikehalt[serve]."""

from runtime.triton.model import TritonPythonModel

__all__ = ["TritonPythonModel"]
'''


@dataclass(frozen=True, kw_only=True)
class TritonOptions:
    """How Triton runs a bundle.

    Attributes:
        max_batch: images in one batch.
        queue: requests that wait.
        instances: processes, each with an engine.
        gpu: whether they are on GPUs.
        engine: arguments of the engine, as text.
    """

    max_batch: int = 64
    queue: int = 256
    instances: int = 1
    gpu: bool = False
    engine: Mapping[str, str] = field(default_factory=dict)


def write_python_model(bundle: Bundle, name: str, out: Path, options: TritonOptions) -> Path:
    """Write OUT/NAME for the Python backend; returns it.

    Raises:
        BundleWriteError: it is there already, or cannot be written.
        BundleError: the bundle is damaged.
    """
    config = python_config(
        name,
        bundle.manifest,
        max_batch=options.max_batch,
        queue=options.queue,
        instances=options.instances,
        gpu=options.gpu,
        parameters=options.engine,
    )
    folder = _new_folder(out / name, config)
    with writing(folder):
        (folder / "1" / "model.py").write_text(MODEL, encoding="utf-8")
        shutil.copytree(bundle.root, folder / "1" / BUNDLE_FOLDER)
    Bundle.open(folder / "1" / BUNDLE_FOLDER)  # what was copied is what the manifest says
    return folder


def write_graph_model(bundle: Bundle, name: str, out: Path, op_library: str | None) -> Path:
    """Write OUT/NAME for the ONNX Runtime backend; returns it.

    Raises:
        ConfigError: the bundle has two graphs, between which Triton cannot go on.
        BundleWriteError: it is there already, or cannot be written.
    """
    manifest = bundle.manifest
    if manifest.chunk != manifest.timesteps:
        raise ConfigError(
            f"{name} runs {manifest.chunk} of {manifest.timesteps} timesteps a graph: export it "
            f"with --chunk {manifest.timesteps}, or leave out --graph to have the engine inside"
        )
    folder = _new_folder(out / name, onnxruntime_config(name, manifest, op_library))
    names = {
        each: each for each in manifest.files if not each.endswith((".onnx", ".plan", ".json"))
    }
    for source, target in {**names, "first.onnx": "model.onnx"}.items():
        put_file(folder / "1" / target, bundle.read(source), "graph")
    return folder


def _new_folder(folder: Path, config: str) -> Path:
    if folder.exists():
        raise BundleWriteError(f"{folder} is there already: remove it, or choose another")
    put_file(folder / "config.pbtxt", config, "configuration")
    make_folder(folder / "1")
    return folder
