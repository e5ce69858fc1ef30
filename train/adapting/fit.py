"""Forecasts fitted to what the network without halting computes: least squares, no gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from train.adapting.least_squares import LeastSquares
from train.models.network import ModelOutput, SpikingTransformer
from train.parallel.devices import exact_float32

BATCH = 32
# Rows per block that certainties are fitted to; each is kept.
_MOST_ROWS = 2**15
# Of the mean error, added to each before its logarithm: an error of zero is no outlier.
_FLOOR = 1e-3


@dataclass(frozen=True)
class Entered:
    """What a network without halting makes of the images.

    Attributes:
        tokens: that enter block 1, [1 or T, N, K, D].
        logits: [T, N, N_c].
    """

    tokens: Tensor
    logits: Tensor

    def first(self, count: int) -> Entered:
        """Of the first images alone."""
        return Entered(self.tokens[:, :count], self.logits[:, :count])


def adaptable(static: SpikingTransformer) -> SpikingTransformer:
    """A network of the same weights whose tokens can halt by forecasts, which are not fitted yet.

    Raises:
        ConfigError: forecasts do not go with it.
    """
    config = static.config
    halting = replace(
        config.halting, mode="block_time", score="forecast", alpha=1.0, beta=0.0, epsilon=0.0
    )
    network = SpikingTransformer(replace(config, halting=halting))
    network.load_state_dict(static.state_dict(), strict=False)
    return network.eval()


@torch.no_grad()
@exact_float32()
def fit_forecasts(
    static: SpikingTransformer, adapted: SpikingTransformer, images: Tensor
) -> Entered:
    """Fit all forecasts of `adapted`, in one pass of the network without halting.

    Behind a block the target of the value is the same token's behind the last block; that of the
    certainty is -log of the squared error that the value then makes in the logits, over how many
    blocks are left out.
    """
    assert adapted.forecasts is not None
    dim, blocks = static.config.dim, static.config.depth - 1
    values = [LeastSquares(dim, dim) for _ in range(blocks)]
    kept: list[tuple[Tensor, Tensor]] = [(torch.empty(0, dim), torch.empty(0, dim))] * blocks
    entered, logits = [], []
    share = min(1.0, _MOST_ROWS / (len(images) * static.config.tokens * static.config.timesteps))
    generator = torch.Generator().manual_seed(0)
    for batch in images.split(BATCH):
        tokens = static.tokens_of(batch)
        behind, output = behind_blocks(static, tokens)
        last = behind[-1].flatten(0, 2).float()
        for index, x in enumerate(behind[:-1]):
            rows = x.flatten(0, 2).float()
            values[index].add(rows, last)
            some = torch.rand(len(rows), generator=generator) < share
            kept[index] = _joined(kept[index], (rows[some], last[some]))
        entered.append(tokens)
        logits.append(output.logits)
    for index, value in enumerate(values):
        value.solve(adapted.forecasts.values[index])  # type: ignore[arg-type]
        _fit_certainty(adapted, index, *kept[index])
    return Entered(torch.cat(entered, 1), torch.cat(logits, 1))


def _joined(before: tuple[Tensor, Tensor], more: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return torch.cat([before[0], more[0].cpu()]), torch.cat([before[1], more[1].cpu()])


def behind_blocks(network: SpikingTransformer, tokens: Tensor) -> tuple[list[Tensor], ModelOutput]:
    """Tokens behind every block [T, B, K, D], and the output."""
    behind: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda block, inputs, x: behind.append(x))
        for block in network.blocks
    ]
    try:
        return behind, network.classify(tokens)
    finally:
        for hook in hooks:
            hook.remove()


def _fit_certainty(adapted: SpikingTransformer, index: int, x: Tensor, last: Tensor) -> None:
    assert adapted.forecasts is not None
    left = adapted.config.depth - 1 - index
    value, head = adapted.forecasts.values[index], adapted.head
    error = nn.functional.linear(value(x) - last, head.weight).square().sum(-1, keepdim=True)
    target = -torch.log((error + _FLOOR * error.mean()).clamp_min(1e-30) / left)
    certainty = LeastSquares(x.shape[-1], 1)
    certainty.add(x, target)
    certainty.solve(adapted.forecasts.certainties[index])  # type: ignore[arg-type]


def divergence(logits: Tensor, wanted: Tensor) -> float:
    """Kullback-Leibler divergence of the last logits from those of the network without halting."""
    p, q = (each[-1].double().log_softmax(-1) for each in (wanted, logits))
    return float((p.exp() * (p - q)).sum(-1).mean())
