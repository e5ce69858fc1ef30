"""Trained networks that several benchmarks run: the digits recipe's, and the zoo's."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.replay import Replay, record
from benchmarks.common.table import Column, Row, console, number, words
from export.bundle.write import export_bundle
from runtime import Engine
from runtime.bundle import Bundle, update_manifest
from runtime.calibration import Goal, Observed, calibrate
from spikehalt.strict import build
from train.checkpoint import load_checkpoint
from train.config import TrainConfig
from train.data import Dataset, ImageSource, Split, load_data
from train.loop.run import run
from train.recipes import load_recipe

MAX_DROP = 0.005
ZOO = Path(__file__).resolve().parents[2] / "zoo"
ZOO_HALTING = ZOO / "cifar10-small" / "halting.pt"
ZOO_IMAGES = 1000


def train_and_export(config: TrainConfig, out: Path) -> dict[str, Path]:
    """Bundles by name: static, halting, and halting with merging (a short third training)."""
    console.print("training on scanned digits: static, then with halting", highlight=False)
    checkpoints = run(config).checkpoints
    console.print("then with merging on top", highlight=False)
    merging = replace(
        config,
        model=replace(config.model, merge_gamma=2),
        static=replace(config.static, epochs=0),
        halting=replace(config.halting, epochs=max(1, config.halting.epochs // 2)),
        out=str(out / "merging"),
    )
    merged = run(merging, start=load_checkpoint(checkpoints["halting"])).checkpoints["halting"]
    files = {"static": checkpoints["static"], "halting": checkpoints["halting"], "merging": merged}
    return {
        name: export_bundle(path, out / f"{name}.bundle", force=True).root
        for name, path in files.items()
    }


def choose_threshold(path: Path, validation: ImageSource) -> None:
    """Calibrate on the validation split, never on the test images, and write it into the bundle."""
    with Engine(path, policy="never") as engine:
        trajectory = engine.record(as_inputs(validation))
        manifest = engine.manifest
    observed = Observed(
        manifest=manifest, trajectory=trajectory,
        labels=validation.labels.numpy(), epsilon=manifest.halting.epsilon,
    )  # fmt: skip
    found = calibrate(manifest, [observed], Goal(max_drop=MAX_DROP))
    update_manifest(path, found.apply(Bundle.open(path).manifest, "validation split"))


def in_memory(source: ImageSource) -> Split:
    """All images of a source, which are few and small enough."""
    (split,) = source.batches([torch.arange(len(source))])
    return split


def as_inputs(source: ImageSource) -> NDArray[Any]:
    """What a camera gives: images uint8 [N, H, W, C], event frames float32 [N, T, C, H, W]."""
    images: NDArray[Any] = in_memory(source).images.numpy()
    if images.ndim == 5:
        return images
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def summarise(name: str, result: Any, labels: NDArray[np.int64], seconds: float) -> Row:
    """One row from an engine's result on all images, which took so many seconds."""
    figures = {
        "accuracy": float((result.labels == labels).mean()),
        "tokens": float(result.average_tokens.mean()),
        "timesteps": float(result.timesteps.mean()),
        "images_per_s": len(labels) / seconds,
        "energy_mj": float(result.energy_mj.mean()),
    }
    return Row(name, figures)


def evaluated(energy: str) -> list[Column]:
    """The columns of what `summarise` gives; `energy` is the format of microjoules."""
    return [
        words(""),
        number("accuracy", "accuracy", ".2%"),
        number("tokens", "tokens", ".3f"),
        number("timesteps", "timesteps"),
        number("images/s", "images_per_s", ",.0f"),
        number("µJ/image", "energy_mj", energy, 1000),
    ]


def images_of(checkpoint: Path, path: str) -> Dataset:
    """The images, split as when the checkpoint was trained."""
    config = build(TrainConfig, load_checkpoint(checkpoint).run)
    return load_data(replace(config.data, path=path), config.model, config.seed)


def digits_replay(folder: Path) -> Replay:
    """What the trained digits model does on its test images."""
    config = load_recipe("digits")
    data = load_data(config.data, config.model, config.seed)
    if not (folder / "halting.pt").is_file():
        bundles = train_and_export(replace(config, out=str(folder)), folder)
        choose_threshold(bundles["halting"], data.validation)
    return record(folder, as_inputs(data.test))


def zoo_replay(path: str, checkpoint: Path = ZOO_HALTING) -> Replay:
    """What a halting model does on its test images, those of CIFAR-10 if it is the zoo's."""
    data = images_of(checkpoint, path)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(checkpoint, folder / "halting.pt")
        bundle = export_bundle(folder / "halting.pt", folder / "halting.bundle")
        choose_threshold(bundle.root, data.validation)
        return record(folder, as_inputs(data.test)[:ZOO_IMAGES])
