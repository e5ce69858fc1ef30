"""Foreign tensors into our state dict: each is placed, ignored for a stated reason, or refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from train.config import ModelConfig
from train.errors import CheckpointError
from train.importing.layers import Layer
from train.integrity import problem_of

if TYPE_CHECKING:
    from train.importing.formats import Format

_BN = ("weight", "bias", "running_mean", "running_var")
_COUNTER = "num_batches_tracked"
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


class Source:
    """Foreign tensors that remember which of them were taken.

    Args:
        tensors: by foreign name.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self.left = set(tensors)

    def take(self, name: str) -> Tensor:
        """The tensor `name` in float32.

        Raises:
            CheckpointError: it is missing, of another dtype, or holds NaN or infinity.
        """
        if name not in self.tensors:
            raise CheckpointError(f"the file lacks the tensor {name!r}")
        self.left.discard(name)
        given = self.tensors[name].detach()
        value = given.float() if given.dtype in FLOATS else given
        problem = problem_of(name, given, FLOATS) or problem_of(name, value)
        if problem:
            raise CheckpointError(f"the tensor {name!r} {problem}")
        return value

    def take_if_there(self, name: str) -> Tensor | None:
        """The tensor `name`, or None."""
        return self.take(name) if name in self.tensors else None


def plain_head(source: Source, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Weight and bias of a head that is ours already."""
    return source.take("head.weight"), source.take("head.bias")


def place(
    source: Source, form: Format, ours: dict[str, Tensor], config: ModelConfig
) -> dict[str, Tensor]:
    """Every tensor of `ours`, taken from `source`.

    Args:
        source: foreign tensors.
        form: their naming.
        ours: our network's state dict, for names and shapes.
        config: of our network.

    Raises:
        CheckpointError: a tensor is missing, has another shape, or has no place.
    """
    depth = form.depth(source.tensors)
    placed: dict[str, Tensor] = {}
    for layer in form.layers(depth):
        placed.update(_layer(source, layer, ours))
    placed["head.weight"], placed["head.bias"] = form.head(source, config)
    _check_shapes(placed, ours)
    _check_left(source, form)
    return placed


def _layer(source: Source, layer: Layer, ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weight and BatchNorm of one of our layers; its parts stand side by side."""
    kind = "conv" if f"{layer.ours}.conv.weight" in ours else "linear"
    weights, norms = [], []
    for weight_name, bn_name in layer.parts:
        weights.append(_weight(source.take(f"{weight_name}.weight"), weight_name, kind))
        norm = {name: source.take(f"{bn_name}.{name}") for name in _BN}
        bias = source.take_if_there(f"{weight_name}.bias")
        if bias is not None:
            # BN(Wx + b) has the mean of Wx shifted by b: the bias only moves the running mean.
            norm["running_mean"] = norm["running_mean"] - bias
        norms.append(norm)
    index, count = layer.share
    placed = {f"{layer.ours}.{kind}.weight": torch.cat(weights).chunk(count)[index]}
    for name in _BN:
        joined = torch.cat([norm[name] for norm in norms])
        placed[f"{layer.ours}.bn.{name}"] = joined.chunk(count)[index]
    counter = source.take_if_there(f"{layer.parts[0][1]}.{_COUNTER}")
    placed[f"{layer.ours}.bn.{_COUNTER}"] = torch.zeros(()) if counter is None else counter
    placed[f"{layer.ours}.bn.{_COUNTER}"] = placed[f"{layer.ours}.bn.{_COUNTER}"].long()
    return placed


def _weight(weight: Tensor, name: str, kind: str) -> Tensor:
    """A linear layer's weight may be that of a 1 x 1 convolution, and that one's of fewer axes."""
    if kind == "conv" and weight.ndim == 3:
        return weight.unsqueeze(-1)
    if kind == "linear" and weight.ndim > 2:
        if weight[0, 0].numel() != 1:
            raise CheckpointError(f"{name}.weight {tuple(weight.shape)} is no 1 x 1 convolution")
        weight = weight.flatten(1)
    return weight


def _check_shapes(placed: dict[str, Tensor], ours: dict[str, Tensor]) -> None:
    missing = sorted(set(ours) - set(placed))
    surplus = sorted(set(placed) - set(ours))
    if missing or surplus:
        number = re.compile(r"blocks\.(\d+)\.")
        theirs, mine = (
            len({m[1] for m in map(number.match, names) if m}) for names in (placed, ours)
        )
        raise CheckpointError(f"the file holds {theirs} blocks, the model has {mine}; pass --depth")
    for name, value in placed.items():
        if value.shape != ours[name].shape:
            raise CheckpointError(
                f"{name} has shape {tuple(value.shape)} in the file, the model needs "
                f"{tuple(ours[name].shape)}; pick the --arch, or set --dim, --classes, --channels "
                "or --mlp-ratio, that the file was trained with"
            )


def _check_left(source: Source, form: Format) -> None:
    """Refuse tensors without a place, except counters and those that the repository never uses."""
    unused = re.compile(form.unused)
    left = sorted(
        name
        for name in source.left
        if not unused.fullmatch(name) and not name.endswith(f".{_COUNTER}")
    )
    if left:
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        raise CheckpointError(
            f"no place for {', '.join(left[:5])}{more}: the file holds more than a {form.name} "
            "network with plain LIF neurons"
        )
