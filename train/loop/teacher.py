"""The network whose answers a run learns: a checkpoint, or any network as an exported program."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikehalt.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.config import ModelConfig

PROGRAM = ".pt2"

Teacher = Callable[[Tensor], Tensor]
"""From augmented pixel values 0..255 [B, C, H, W], or event frames, to logits [B, N_c]."""


def load_teacher(
    path: str, model: ModelConfig, classes: tuple[str, ...], device: torch.device, batch: int
) -> Teacher | None:
    """The teacher, in evaluation mode; None where `path` is empty.

    Args:
        path: a checkpoint, or a program that `torch.export.save` wrote (`.pt2`), of any network
            from images or event frames of the model's size to logits, exported in evaluation mode.
            A program can hold pickled objects: take one from those you trust.
        model: the student.
        classes: the run's, in label order.
        device: where it runs.
        batch: images that it is asked about at once.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
        ConfigError: the program is; or it does not answer the student's images with its classes.
    """
    if not path:
        return None
    if Path(path).suffix == PROGRAM:
        return _program(path, model, device, batch)
    return _checkpoint(path, model, classes, device)


def _checkpoint(
    path: str, model: ModelConfig, classes: tuple[str, ...], device: torch.device
) -> Teacher:
    found = load_checkpoint(path)
    if found.classes and found.classes != classes:
        raise ConfigError(
            f"loss.teacher {path} has other classes than the images, "
            f"{_other(found.classes, classes)}: take one of the same classes, in this order"
        )
    same = ["image_size", "channels", "classes", "input"]
    same += ["timesteps"] if model.input == "frames" else []
    ours, theirs = ({key: getattr(each, key) for key in same} for each in (model, found.model))
    if ours != theirs:
        raise ConfigError(f"loss.teacher {path} has {theirs}, the model {ours}: they must be equal")
    network = found.network().to(device)

    def answer(images: Tensor) -> Tensor:
        logits: Tensor = network(images).logits[-1]
        return logits

    return answer


def _program(path: str, model: ModelConfig, device: torch.device, batch: int) -> Teacher:
    if not Path(path).is_file():
        raise ConfigError(
            f"loss.teacher {path} does not exist; `torch.export.save(torch.export.export(network, "
            "(images,), dynamic_shapes=...), PATH)` writes one"
        )
    try:
        with _silence():
            network: Any = torch.export.load(path).module().to(device)
    except Exception as error:  # torch.export raises what its archive's readers raise
        raise ConfigError(
            f"loss.teacher {path} is no program of torch.export: {_line(error)}"
        ) from None
    frames = (model.timesteps,) if model.input == "frames" else ()
    example = torch.zeros(batch, *frames, model.channels, *model.image_size, device=device)
    try:
        answer = network(example)
    except Exception as error:
        raise ConfigError(
            f"loss.teacher {path} does not take images {list(example.shape)}: {_line(error)}; "
            "export it with a dynamic batch"
        ) from None
    _check_logits(path, answer, (batch, model.classes))
    return network  # type: ignore[no-any-return]


def _check_logits(path: str, answer: Any, shape: tuple[int, int]) -> None:
    if not isinstance(answer, Tensor) or tuple(answer.shape) != shape:
        found = list(answer.shape) if isinstance(answer, Tensor) else f"a {type(answer).__name__}"
        raise ConfigError(
            f"loss.teacher {path} answers with {found}, not with logits {list(shape)}"
        )
    if not bool(answer.isfinite().all()):
        raise ConfigError(f"loss.teacher {path} answers black images with what is no number")


@contextmanager
def _silence() -> Iterator[None]:
    """PyTorch logs what it then raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable()
        try:
            yield
        finally:
            logging.disable(before)


def _other(theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    """The first class in which the two differ."""
    if len(theirs) != len(ours):
        return f"{len(theirs)} in place of {len(ours)}"
    at = next(at for at, (one, other) in enumerate(zip(theirs, ours, strict=True)) if one != other)
    return f"{theirs[at]!r} in place of {ours[at]!r} as number {at + 1}"


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
