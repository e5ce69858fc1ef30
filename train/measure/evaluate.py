"""Accuracy, tokens and exits of a model on a split, in float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from train.data.base import ImageSource
from train.errors import DataError
from train.models.network import ModelOutput, SpikingTransformer
from train.parallel.devices import exact_float32
from train.parallel.distributed import rank_and_world, sum_over_processes


@dataclass(frozen=True)
class Evaluation:
    """What a model does on a split.

    Attributes:
        accuracy: of the running logits after each timestep, in [0, 1]; the last is f(x)'s.
        average_tokens: live tokens over K_0, averaged over blocks, timesteps and images.
        tokens_per_block: mean live tokens per timestep and block, [T][L].
        images: how many were seen.
    """

    accuracy: tuple[float, ...]
    average_tokens: float
    tokens_per_block: tuple[tuple[float, ...], ...]
    images: int


def live_tokens(output: ModelOutput) -> Tensor:
    """Live tokens per block and timestep, float [B, T, L]."""
    return torch.stack([live.sum(-1) for live in output.live], -1).transpose(0, 1)


@torch.no_grad()
@exact_float32()
def evaluate(
    model: SpikingTransformer,
    split: ImageSource,
    *,
    batch_size: int = 256,
    epsilon: float | None = None,
) -> Evaluation:
    """Run the whole split in evaluation mode; the model's mode is restored.

    Several processes share the images and each returns the figures of all of them.

    Raises:
        DataError: the split is empty.
    """
    if len(split) == 0:
        raise DataError("there are no images to evaluate on: the split is empty")
    was_training = model.training
    model.eval()
    steps, blocks = model.config.timesteps, model.config.depth
    device = model.head.weight.device
    correct = torch.zeros(steps, dtype=torch.float64, device=device)
    tokens = torch.zeros(steps, blocks, dtype=torch.float64, device=device)
    rank, world = rank_and_world()
    rows = torch.arange(rank, len(split), world).split(batch_size)
    for batch in split.batches(rows):
        output = model(batch.images, epsilon)
        correct += (output.logits.argmax(-1) == batch.labels).sum(1)
        tokens += live_tokens(output).sum(0)
    model.train(was_training)
    totals = sum_over_processes(correct), sum_over_processes(tokens)
    return _summary(*totals, len(split), model.config.tokens)


def _summary(correct: Tensor, tokens: Tensor, images: int, k0: int) -> Evaluation:
    per_block = tokens / images
    return Evaluation(
        accuracy=tuple(float(value) / images for value in correct),
        average_tokens=float(per_block.mean()) / k0,
        tokens_per_block=tuple(tuple(float(v) for v in row) for row in per_block),
        images=images,
    )
