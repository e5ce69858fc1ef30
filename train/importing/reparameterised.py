"""Layers that a repository trains as chains, or scales afterwards, as the one layer they are.

    BN_n(W_n … BN_1(W_1 x))  =  BN_n(A x + b)

with the running statistics; formed in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from train.errors import CheckpointError

_EPS = 1e-5
NORM = ("weight", "bias", "running_mean", "running_var")
Tensors = dict[str, Tensor]


def chained(tensors: Tensors, names: Sequence[str]) -> Tensors:
    """A chain of 1 x 1 convolutions and BatchNorms as one convolution and the last BatchNorm.

    Args:
        tensors: of the file.
        names: of the layers, first to last; the first is a convolution, the last a BatchNorm.

    Returns:
        "weight", "bias" and the BatchNorm's tensors, as "bn.weight" and so on.

    Raises:
        CheckpointError: a tensor is missing.
    """
    first, *others, last = names
    matrix = _matrix(tensors, first)
    bias = torch.zeros(matrix.shape[0], dtype=torch.float64)
    for name in others:
        if f"{name}.running_var" in tensors:
            scale, shift = _affine(tensors, name)
            matrix, bias = scale[:, None] * matrix, scale * bias + shift
        else:
            step = _matrix(tensors, name)
            matrix, bias = step @ matrix, step @ bias
    folded = {"weight": matrix.float(), "bias": bias.float()}
    return folded | {f"bn.{part}": _take(tensors, f"{last}.{part}") for part in NORM}


def scaled(norm: Tensors, factor: Tensor) -> Tensors:
    """A BatchNorm's tensors where its output is multiplied, channel by channel."""
    return {k: v * factor if k in ("weight", "bias") else v for k, v in norm.items()}


def _matrix(tensors: Tensors, name: str) -> Tensor:
    return _take(tensors, f"{name}.weight").double().flatten(1)


def _affine(tensors: Tensors, norm: str) -> tuple[Tensor, Tensor]:
    weight, bias, mean, variance = (_take(tensors, f"{norm}.{part}").double() for part in NORM)
    scale = weight / (variance + _EPS).sqrt()
    return scale, bias - mean * scale


def _take(tensors: Tensors, name: str) -> Tensor:
    if name not in tensors:
        raise CheckpointError(f"the file lacks the tensor {name!r}")
    return tensors[name]
