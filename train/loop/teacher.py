"""The network whose answers a run learns: a checkpoint, or any network as an exported program."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikehalt.console import few
from spikehalt.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.config import ModelConfig

PROGRAM = ".pt2"

Teacher = Callable[[Tensor], Tensor]
"""From augmented pixel values 0..255 [B, C, H, W], or event frames, to logits [B, N_c]."""


def load_teacher(
    path: str, model: ModelConfig, classes: tuple[str, ...], device: torch.device
) -> Teacher | None:
    """The teacher, in evaluation mode; None where `path` is empty.

    Args:
        path: a checkpoint, or a program that `torch.export.save` wrote (`.pt2`), of any network
            from images or event frames of the model's size, in batches of any size, to logits. A
            program can hold pickled objects: take one from those you trust.
        model: the student.
        classes: the run's, in label order.
        device: where it runs.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
        ConfigError: the program is; or it does not answer the student's images with its classes.
    """
    if not path:
        return None
    if Path(path).suffix == PROGRAM:
        return _program(path, model, device)
    return _checkpoint(path, model, classes, device)


def _checkpoint(
    path: str, model: ModelConfig, classes: tuple[str, ...], device: torch.device
) -> Teacher:
    found = load_checkpoint(path)
    if found.classes and found.classes != classes:
        raise ConfigError(
            f"loss.teacher {path} has the classes {_few(found.classes)}, the images have "
            f"{_few(classes)}: take one that was trained on the same classes, in this order"
        )
    same = ("image_size", "channels", "classes", "input")
    ours, theirs = ({key: getattr(each, key) for key in same} for each in (model, found.model))
    if ours != theirs:
        raise ConfigError(f"loss.teacher {path} has {theirs}, the model {ours}: they must be equal")
    network = found.network().to(device)

    def answer(images: Tensor) -> Tensor:
        logits: Tensor = network(images).logits[-1]
        return logits

    return answer


def _program(path: str, model: ModelConfig, device: torch.device) -> Teacher:
    if not Path(path).is_file():
        raise ConfigError(
            f"loss.teacher {path} does not exist; `torch.export.save(torch.export.export(network, "
            "(images,), dynamic_shapes=...), PATH)` writes one"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network: Any = torch.export.load(path).module().to(device)
    except Exception as error:  # torch.export raises what its archive's readers raise
        raise ConfigError(f"loss.teacher {path} is no program of torch.export: {error}") from None
    frames = (model.timesteps,) if model.input == "frames" else ()
    example = torch.zeros(3, *frames, model.channels, *model.image_size, device=device)
    try:
        shape = tuple(network(example).shape)
    except Exception as error:
        raise ConfigError(
            f"loss.teacher {path} does not take images {list(example.shape)}: {_line(error)}; "
            "export it with a dynamic batch"
        ) from None
    if shape != (3, model.classes):
        raise ConfigError(
            f"loss.teacher {path} answers images {list(example.shape)} with {list(shape)}, not "
            f"with the logits [3, {model.classes}]"
        )
    return network  # type: ignore[no-any-return]


def _few(classes: tuple[str, ...]) -> str:
    return few(classes, 4) + (f" ({len(classes)})" if len(classes) > 4 else "")


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
