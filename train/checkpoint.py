"""Checkpoint files: a model, what it was trained on, and what resuming needs.

Written atomically, read with `weights_only=True`: a checkpoint cannot run code.
"""

from __future__ import annotations

import io
import pickle
import random
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.files import put_file
from spikehalt.published.origin import Origin
from spikehalt.reading import reading
from spikehalt.strict import build, to_dict
from train.baselines.build import build_network
from train.config import ModelConfig
from train.errors import CheckpointError
from train.integrity import check_digest, check_weights, sealed
from train.models.network import SpikingTransformer

FORMAT = "spikehalt-checkpoint"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's content.

    Attributes:
        model: configuration of the network.
        weights: its state dict.
        classes: class names, in label order.
        phase: `static` or `halting`.
        metrics: figures measured when it was written.
        run: the training configuration as plain data; empty for imported weights.
        training: optimizer, scheduler, position and random states; None in a finished checkpoint.
        preprocessing: what was done to the image files that it was trained on.
        origin: of imported weights, what was chosen and why; None for our own.
    """

    model: ModelConfig
    weights: dict[str, Tensor]
    classes: tuple[str, ...]
    phase: str
    metrics: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    origin: Origin | None = None

    def network(self) -> SpikingTransformer:
        """The network with these weights, in evaluation mode.

        Raises:
            CheckpointError: weights and configuration do not belong together.
        """
        network = build_network(self.model)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise CheckpointError(f"weights do not fit the stored model config: {error}") from None
        return network.eval()


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write atomically: a crash leaves the file that was there before.

    Raises:
        OutputError: the disk refused.
    """
    plain = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": to_dict(checkpoint.model),
        "weights": checkpoint.weights,
        "classes": list(checkpoint.classes),
        "phase": checkpoint.phase,
        "metrics": checkpoint.metrics,
        "run": checkpoint.run,
        "training": checkpoint.training,
        "preprocessing": to_dict(checkpoint.preprocessing),
        "origin": None if checkpoint.origin is None else to_dict(checkpoint.origin),
    }
    content = io.BytesIO()  # PyTorch tells a full disk by an internal assertion
    torch.save(plain, content)
    put_file(Path(path), sealed(content.getvalue()), "checkpoint")


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        CheckpointError: missing, not ours, truncated, damaged, from a newer version, or with
            weights that are not valid; one sentence each.
    """
    content = _read(Path(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is not a spikehalt checkpoint; `python -m train import` converts those of "
            "other repositories"
        )
    version = content.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format {version}, this spikehalt reads up to {FORMAT_VERSION}; "
            "update spikehalt"
        )
    with reading(path, CheckpointError, "is damaged"):
        model = build(ModelConfig, content["model"], f"{path} is damaged: model", CheckpointError)
        return Checkpoint(
            model=model,
            weights=check_weights(content["weights"], path),
            classes=_classes(content["classes"], model, path),
            phase=content["phase"],
            metrics=_mapping(content, "metrics", path),
            run=_mapping(content, "run", path),
            training=content["training"],
            preprocessing=_preprocessing(content),
            origin=_origin(content.get("origin")),
        )


def _classes(names: Any, model: ModelConfig, path: str | Path) -> tuple[str, ...]:
    """Names in label order; empty where the checkpoint has none."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{path} is damaged: its classes are not a list of names")
    if len(names) not in (0, model.classes):
        raise CheckpointError(
            f"{path} is damaged: {len(names)} names for {model.classes} classes of the model"
        )
    return tuple(names)


def _mapping(content: dict[str, Any], name: str, path: str | Path) -> dict[str, Any]:
    value = content[name]
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is damaged: {name} is a {type(value).__name__}, no mapping")
    return value


def _preprocessing(content: dict[str, Any]) -> Preprocessing:
    """Older checkpoints do not store it: their images were fitted by `data.fit`."""
    fit = content["run"].get("data", {}).get("fit", "resize")
    stored = content.get("preprocessing", {"fit": fit})
    return build(Preprocessing, stored, "it is damaged: preprocessing", CheckpointError)


def _origin(content: dict[str, Any] | None) -> Origin | None:
    return None if content is None else build(Origin, content)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist; `python -m train run` writes checkpoints")
    with (
        reading(path, CheckpointError, "is truncated or not a checkpoint file"),
        warnings.catch_warnings(),  # torch warns of pickle protocols before it refuses them
    ):
        warnings.simplefilter("ignore")
        try:
            check_digest(path)
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            raise CheckpointError(
                f"{path} is not a spikehalt checkpoint (it holds foreign objects)"
            ) from None


def random_states() -> dict[str, Any]:
    """States of every generator that training draws from, as plain data and tensors."""
    version, keys, gauss = random.getstate()
    name, words, position, has_gauss, cached = np.random.get_state()
    states: dict[str, Any] = {
        "python": [version, list(keys), gauss],
        "numpy": [name, torch.from_numpy(np.array(words, np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    """Set every generator back to the states of `random_states`."""
    version, keys, gauss = states["python"]
    random.setstate((version, tuple(keys), gauss))
    name, words, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, words.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
