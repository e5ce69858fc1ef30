"""A foreign checkpoint file to its tensors, read without running code."""

from __future__ import annotations

import argparse
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from train.errors import CheckpointError

# Where training scripts put the weights, in the order of preference.
_NESTED = ("state_dict", "model", "model_state_dict", "net", "state_dict_ema")


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The state dict in `path`, out of a training script's wrapping and without `module.` prefixes.

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
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def _load(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    try:
        # Training scripts store their arguments beside the weights: plain attributes, no code.
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} holds more than weights and plain data and is not read, since that could run "
            f"code ({reason}). Save its state_dict alone: torch.save(model.state_dict(), …)"
        ) from None
    except (RuntimeError, EOFError, OSError, zipfile.BadZipFile, ValueError, KeyError):
        raise CheckpointError(f"{path} is truncated or not a checkpoint file") from None


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file ({error})") from None
