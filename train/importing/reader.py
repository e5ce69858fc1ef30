"""A foreign checkpoint file to its tensors, read without running code."""

from __future__ import annotations

import _codecs
import argparse
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikehalt.reading import reading
from train.errors import CheckpointError
from train.integrity import check_digest

# Where training scripts put the weights, in the order of preference.
_NESTED = (
    "state_dict",
    "model",
    "model_state_dict",
    "net",
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The state dict in `path`, out of a training script's wrapping.

    Raises:
        CheckpointError: missing, unreadable, or without a state dict.
    """
    content = _load(Path(path))
    for key in _NESTED:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} holds no state dict")
    foreign = [key for key, value in content.items() if not isinstance(value, Tensor)]
    if foreign:
        raise CheckpointError(
            f"{path} holds no state dict: {', '.join(map(str, foreign[:5]))} are not tensors"
        )
    return {str(key): value for key, value in content.items()}


def _load(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    with (
        reading(path, CheckpointError, "is truncated or not a checkpoint file"),
        warnings.catch_warnings(),
        torch.serialization.safe_globals(_plain_things()),
    ):
        warnings.simplefilter("ignore")
        return _loaded(path)


def _loaded(path: Path) -> Any:
    try:
        if zipfile.is_zipfile(path):  # PyTorch does not look at its checksums
            check_digest(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} holds more than weights and plain data and is not read, since that could run "
            f"code ({reason}). Save its state_dict alone: torch.save(model.state_dict(), …)"
        ) from None


def _plain_things() -> list[Any]:
    """What training scripts store beside the weights: arguments, and numbers of numpy; no code."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("?bhilqBHILQefd")]
    names = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    return [argparse.Namespace, _codecs.encode, np.dtype, *kinds, *names]
