"""Bytes that a training step moves through memory, by kind of op: ours and SpikingJelly's.

    python -m benchmarks.train.traffic
    python -m benchmarks.train.traffic --stem isps --model spikformer-8-512 --json traffic.json

A GPU multiplies faster than it reads: what a step moves tells what its speed can be, on any GPU and
without one. Forward and backward run on shapes alone (PyTorch's device `meta`), in float32; every
op reads and writes each of its tensors once. Neurons, the same for both, are one pass each: forward
reads currents, writes spikes and membranes; backward reads gradients and membranes, writes
gradients. That is what ours compiled and SpikingJelly's fused ones do.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.common import command_line, networks, peers
from benchmarks.common.table import Row, Table, number, words
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from train.config import ModelConfig
from train.models import NAMED_MODELS, SpikingTransformer, named_model
from train.models.kernels import Kernels, use_kernels
from train.models.neurons import LIF

META = torch.device("meta")
PEER, OURS = "spikingjelly", "ours"
MODELS = [name for name, config in NAMED_MODELS.items() if peers.has_peer(config)]
KINDS = {
    "products": ("mm", "addmm", "bmm", "baddbmm", "convolution", "convolution_backward"),
    "normalisation": ("native_batch_norm", "native_batch_norm_backward"),
    "pooling": ("max_pool2d_with_indices", "max_pool2d_with_indices_backward"),
    "copies": ("clone", "copy_", "cat", "stack", "_to_copy", "fill_", "zeros_like", "new_zeros"),
}
ON_IMAGES = {
    "convolution", "convolution_backward", *KINDS["normalisation"], *KINDS["pooling"]
}  # fmt: skip
OTHERS = "elementwise and sums"
NEURONS = "neurons"
ROWS = (NEURONS, *KINDS, OTHERS)
ALL = "all"
# Only say how memory is read, or reserve it.
FREE = {
    "view", "_unsafe_view", "permute", "transpose", "t", "unsqueeze", "squeeze", "expand", "slice",
    "select", "detach", "alias", "as_strided", "unbind", "split", "empty", "empty_like",
    "empty_strided", "new_empty", "new_empty_strided", "resize_",
}  # fmt: skip


class Traffic(TorchDispatchMode):
    """Adds up the bytes of tensors that go into ops and come out.

    Attributes:
        bytes: by kind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an op, and count its bytes."""
        found = function(*args, **(kwargs or {}))
        name = function._schema.name.removeprefix("aten::")
        if name in ON_IMAGES:
            found = channels_last_again(args[0], found)
        if name not in FREE:
            self.add(kind_of(name), *tree_leaves((args, kwargs, found)))
        if name == "convolution_backward":  # two products, as a linear layer's
            self.add(kind_of(name), args[0])
        return found

    def add(self, kind: str, *moved: Any) -> None:
        """Count each of the tensors once."""
        tensors = {id(each): each for each in moved if isinstance(each, Tensor)}
        self.bytes[kind] += sum(each.numel() * each.element_size() for each in tensors.values())


def channels_last_again(source: Tensor, found: Any) -> Any:
    """Results of an op on images; on `meta` some forget the memory format, which devices keep."""
    if source.ndim != 4 or not source.is_contiguous(memory_format=torch.channels_last):
        return found
    if isinstance(found, Tensor):
        return found.contiguous(memory_format=torch.channels_last)
    image, *rest = found
    if image is None:  # the gradient of pixels, for which nobody asks
        return found
    return (image.contiguous(memory_format=torch.channels_last), *rest)


def kind_of(name: str) -> str:
    """The row an op belongs to."""
    return next((kind for kind, names in KINDS.items() if name in names), OTHERS)


def one_pass(traffic: Traffic) -> Kernels:
    """Neurons that compute nothing and move what fused ones do."""

    def sequence(x: Tensor, steps: int, *_: Any) -> tuple[Tensor, Tensor]:
        spikes = x.new_empty((steps, *x.shape[1:]))
        membranes = torch.empty_like(spikes)
        traffic.add(NEURONS, x, spikes, membranes)
        return spikes, membranes

    def gradient(grad: Tensor, u: Tensor, *_: Any) -> Tensor:
        out = torch.empty_like(grad)
        traffic.add(NEURONS, grad, u, out)
        return out

    def rate(x: Tensor, *_: Any) -> Tensor:
        out = torch.empty_like(x)
        traffic.add(NEURONS, x, out)
        return out

    def rate_gradient(grad: Tensor, x: Tensor, *_: Any) -> Tensor:
        out = torch.empty_like(x)
        traffic.add(NEURONS, grad, x, out)
        return out

    return Kernels(sequence, gradient, rate, rate_gradient)


def ours(config: ModelConfig) -> nn.Module:
    """Our network, giving its last logits."""
    return SpikingTransformer(config)


def peer(config: ModelConfig) -> nn.Module:
    """SpikingJelly's Spikformer with our neurons in the place of its own."""
    network = peers.spikingjelly_model(config)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, BaseNode):
                setattr(parent, name, LIF(config.lif, config.timesteps))
    return network


def step_bytes(network: nn.Module, config: ModelConfig, batch: int) -> dict[str, int]:
    """Bytes of a forward and backward pass of a batch, by kind."""
    network = network.to(META).train()
    shape = (batch, config.channels, *config.image_size)
    is_ours = isinstance(network, SpikingTransformer)
    images = torch.empty(shape, dtype=torch.uint8 if is_ours else torch.float32, device=META)
    labels = torch.empty(batch, dtype=torch.int64, device=META)
    with Traffic() as traffic, use_kernels(one_pass(traffic)):
        found = network(images)
        logits = found.logits[-1] if is_ours else found.mean(0)
        cross_entropy(logits, labels).backward()
    return {kind: traffic.bytes[kind] for kind in ROWS}


def main(argv: Sequence[str] | None = None) -> int:
    """Count and print; returns the exit status."""
    arguments = parser().parse_args(argv)
    config = named_model(arguments.model)
    same = replace(config.stem, kind=arguments.stem, pool_position="before_lif")
    config = replace(config, stem=same)
    made: dict[str, Callable[[ModelConfig], nn.Module]] = {PEER: peer, OURS: ours}
    found = {name: step_bytes(make(config), config, arguments.batch) for name, make in made.items()}
    table(arguments).print(rows_of(found, arguments.batch))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.train.traffic", __doc__)
    p.add_argument("--model", choices=MODELS, default=networks.MODEL, metavar="NAME")
    p.add_argument("--stem", choices=("sps", "isps"), default="sps", help="ours; the other has SPS")
    p.add_argument("--batch", type=whole(1), default=128, help="images of a step")
    p.add_argument("--json", type=Path, metavar="FILE", help="also write the bytes there")
    return p


def rows_of(found: Mapping[str, Mapping[str, int]], batch: int) -> list[Row]:
    """MB per image of both by kind, and how many times less ours moves."""
    return [row_of(kind, found, batch) for kind in (*ROWS, ALL)]


def row_of(kind: str, found: Mapping[str, Mapping[str, int]], batch: int) -> Row:
    """One kind."""
    moved = {
        name: (sum(kinds.values()) if kind == ALL else kinds[kind]) / 1e6 / batch
        for name, kinds in found.items()
    }
    return Row(kind, {**moved, "ratio": moved[PEER] / moved[OURS] if moved[OURS] else None})


def table(arguments: argparse.Namespace) -> Table:
    """MB per image by kind, and the ratio."""
    title = f"{arguments.model}, {arguments.stem}, a step of {arguments.batch} images"
    columns = [
        words("MB per image"),
        *(number(name, name, ".1f") for name in (PEER, OURS)),
        number("ratio", "ratio"),
    ]
    return Table(title, columns)


if __name__ == "__main__":
    sys.exit(run_command(main))
