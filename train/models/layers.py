"""Linear and convolution layers with batch normalisation, over timesteps and live tokens."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from train.models.batchnorm import BatchNorm1d, BatchNorm2d
from train.models.products import Linear


class ConvBN(nn.Module):
    """Convolution (padded, no bias) and BatchNorm over [T, B, C, H, W], T folded into B."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.bn = BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, C, H, W] -> currents [T, B, C', H', W'].

        Channels lie last in memory: faster on every device, and tokens [K, D] come for free.
        """
        flat = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return cast(Tensor, self.bn(self.conv(flat)).unflatten(0, x.shape[:2]))


class LinearBN(nn.Module):
    """Linear (no bias: BatchNorm has one) and BatchNorm over tokens [T, B, K, D].

    Absent tokens are left out of the product and of the batch statistics, so that training sees
    what a deployed graph computes: their output is zero.
    """

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.linear = Linear(features_in, features_out)
        self.bn = BatchNorm1d(features_out)

    def forward(self, x: Tensor, live: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
        """[T, B, K, D] -> currents [T, B, K, D'].

        Args:
            x: tokens.
            live: [T, B, K], or None when every token is alive.
            rows: `live_rows(live)`, where several layers share it.
        """
        if live is None:
            return cast(Tensor, self._currents(x.flatten(0, 2)).unflatten(0, x.shape[:3]))
        rows = live_rows(live) if rows is None else rows
        found = self._currents(x.flatten(0, 2).index_select(0, rows))
        out = torch.zeros(live.numel(), found.shape[-1], dtype=found.dtype, device=found.device)
        return cast(Tensor, out.index_copy(0, rows, found).unflatten(0, live.shape))

    def _currents(self, rows: Tensor) -> Tensor:
        return cast(Tensor, self.bn(self.linear(rows)))


def live_rows(live: Tensor) -> Tensor:
    """Where `live` [T, B, K] is 1, int64 indices into its T * B * K places.

    The host waits for their number: on a GPU ask once for all layers that share a mask.
    """
    return live.flatten().nonzero().squeeze(-1)
