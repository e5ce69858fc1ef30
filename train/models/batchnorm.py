"""Batch normalisation whose statistics are those of all processes' rows together.

PyTorch's SyncBatchNorm exists on GPUs alone; this one works everywhere, and every process may bring
another number of rows, since live tokens differ. With one process, and in evaluation, it is
PyTorch's own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from train.parallel.distributed import differentiable_sum, rank_and_world, sum_over_processes


class _OverProcesses(nn.modules.batchnorm._BatchNorm):
    """Common part of both dimensions: channels are axis 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [N, C] or [N, C, H, W]; fewer than two rows in all have no statistics."""
        self._check_input_dim(x)
        if not self.training:
            return super().forward(x)
        rows = x.numel() // x.shape[1] if x.shape[0] else 0
        if rank_and_world()[1] == 1:
            return super().forward(x) if rows > 1 else self._with_running_statistics(x)
        total = int(sum_over_processes(torch.tensor(float(rows), device=x.device)))
        return self._together(x, total) if total > 1 else self._with_running_statistics(x)

    def _with_running_statistics(self, x: Tensor) -> Tensor:
        return batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def _together(self, x: Tensor, total: int) -> Tensor:
        """Mean and variance over all processes, by two sums that gradients pass through."""
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        values = x.float()
        mean = differentiable_sum(values.sum(axes)) / total
        centred = values - mean.view(shape)
        variance = differentiable_sum((centred * centred).sum(axes)) / total
        self._track(mean.detach(), variance.detach() * total / (total - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked.add_(1)


class BatchNorm1d(_OverProcesses, nn.BatchNorm1d):
    """Over rows [N, C]."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [N, C]; on a CPU as an image whose channels lie last.

        It has the same layout in memory, and PyTorch's kernel for it is faster.
        """
        if x.device.type != "cpu" or x.ndim != 2 or x.shape[0] == 0:
            return super().forward(x)
        rows, channels = x.shape
        image = x.reshape(1, rows, 1, channels).permute(0, 3, 1, 2)
        return super().forward(image).permute(0, 2, 3, 1).reshape(rows, channels)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim != 4:
            super()._check_input_dim(input)


class BatchNorm2d(_OverProcesses, nn.BatchNorm2d):
    """Over feature maps [N, C, H, W]."""
