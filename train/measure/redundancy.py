"""How alike tokens are between blocks and between timesteps (AT-SNN fig. 3, STAS fig. 2).

Where tokens hardly change, later blocks and timesteps add little, and halting costs little. For a
token x and its successor x', in the next block or at the next timestep,

    cosine = x · x' / (|x| |x'|)        error = |x' - x| / |x'|

The error is what would be lost by estimating the successor by the token before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spikehalt.errors import ConfigError
from train.data.base import ImageSource
from train.models.network import SpikingTransformer
from train.parallel.devices import exact_float32


@dataclass(frozen=True)
class Redundancy:
    """Means over images and tokens, float64 on the CPU.

    Attributes:
        block_cosine: of each block's tokens with the next block's, [T, L - 1].
        block_error: likewise.
        time_cosine: of each timestep's tokens with the next timestep's, [T - 1, L].
        time_error: likewise.
    """

    block_cosine: Tensor
    block_error: Tensor
    time_cosine: Tensor
    time_error: Tensor


@torch.no_grad()
@exact_float32()
def token_redundancy(
    network: SpikingTransformer, split: ImageSource, *, images: int = 512, batch_size: int = 64
) -> Redundancy:
    """Measure on the first images; tokens that are absent in either count as no pair.

    Args:
        network: put into evaluation mode for the measurement.
        split: images to measure on.
        images: how many of them.
        batch_size: images per pass.

    Raises:
        ConfigError: the network merges, so that tokens of consecutive blocks are not the same ones.
    """
    if network.config.merges:
        raise ConfigError(
            "with merging, tokens of consecutive blocks are not the same tokens: name a checkpoint "
            "without it, such as static.pt"
        )
    was_training = network.training
    network.eval()
    parts = []
    for batch in split.batches(torch.arange(min(images, len(split))).split(batch_size)):
        with block_outputs(network) as outputs:
            live = network(batch.images).live
        parts.append(_sums(outputs, live))
    network.train(was_training)
    sums = [torch.stack(column).sum(0) for column in zip(*parts, strict=True)]
    blocks, times = (sums[:2], sums[2]), (sums[3:5], sums[5])
    means = [each / count.clamp_min(1) for values, count in (blocks, times) for each in values]
    return Redundancy(*means)


@contextmanager
def block_outputs(network: SpikingTransformer) -> Iterator[list[Tensor]]:
    """The tokens [T, B, K, D] after each block of the passes inside the context."""
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output)

    hooks = [block.register_forward_hook(keep) for block in network.blocks]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _sums(outputs: list[Tensor], live: list[Tensor]) -> tuple[Tensor, ...]:
    """Summed cosine and error, and pairs, over blocks and then over timesteps."""
    x, alive = torch.stack(outputs, 1).float(), torch.stack(live, 1)  # [T, L, B, K(, D)]
    over_blocks = _compare(x[:, :-1], x[:, 1:], alive[:, :-1] * alive[:, 1:])
    over_time = _compare(x[:-1], x[1:], alive[:-1] * alive[1:])
    return (*over_blocks, *over_time)


def _compare(before: Tensor, after: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over images and tokens of [., ., B, K, D], and the number of pairs [., .]."""
    norms = before.norm(dim=-1), after.norm(dim=-1)
    cosine = (before * after).sum(-1) / (norms[0] * norms[1]).clamp_min(1e-12)
    error = (after - before).norm(dim=-1) / norms[1].clamp_min(1e-12)
    sums = [(value * pairs).double().sum((-2, -1)).cpu() for value in (cosine, error)]
    return sums[0], sums[1], pairs.double().sum((-2, -1)).cpu()
