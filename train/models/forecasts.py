"""Halting of networks that were trained without it: linear forecasts of a token's last value.

Behind block l < L, with x the token there and z the same token behind block L, had it gone on:

    z^ = F_l x + f_l                 the forecast of z
    c  = w_l x + b_l                 how certain it is: -log of the error to expect
    h  = sigmoid(alpha c + beta)     the halting score; 0 behind block L

Scores add up over blocks and timesteps and tokens halt as in `train/halting.py`. A token that halts
behind block N < L counts in the readout with its forecast, one that runs to the end with its value:

    y_t = 1/K (sum over l < L of (F_l s_l + n_l f_l) + sum of the z of the tokens that ran them all)

with s_l the sum and n_l the number of the tokens that halt behind l: a product per image, not per
token. Where none halts y_t is the mean over tokens, that of the network without halting.

F, f, w and b are least-squares fits (train/adapting), so nothing here is trained.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from train.config import ModelConfig


class Forecasts(nn.Module):
    """The forecasts of all blocks but the last, and what halting and readout make of them.

    Args:
        config: the model's, with `halting.score` `forecast`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config, blocks = config.halting, range(config.depth - 1)
        self.values = nn.ModuleList([nn.Linear(config.dim, config.dim) for _ in blocks])
        self.certainties = nn.ModuleList([nn.Linear(config.dim, 1) for _ in blocks])

    def scores(self, x: Tensor, live: Tensor, index: int) -> Tensor:
        """H of block `index` (from 0) for tokens x [T, B, K, D], 0 where absent: [T, B, K]."""
        if index == len(self.values):
            return torch.zeros_like(live)
        certainty = self.certainties[index](x.float()).squeeze(-1)
        return torch.sigmoid(self.config.alpha * certainty + self.config.beta) * live

    def readout(self, halts: Tensor, x: Tensor, index: int) -> Tensor:
        """What the tokens x [T, B, K, D] that halt in this block add: [T, B, D].

        Args:
            halts: 1 for those, [T, B, K]; behind the last block 1 for all that ran.
            x: tokens after the block.
            index: of the block, from 0.
        """
        if index == len(self.values):
            return (x * halts.unsqueeze(-1)).mean(-2)
        value = cast(nn.Linear, self.values[index])
        total = (halts.unsqueeze(-2) @ x.float()).squeeze(-2)
        count = halts.sum(-1, keepdim=True)
        return (total @ value.weight.T + count * value.bias) / x.shape[-2]
