"""Least squares from running sums: as many rows as there are, in the memory of one matrix."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Of the mean square of an input, added to each: inputs that are never active get no weight.
RIDGE = 1e-4


class LeastSquares:
    """Fits y = W x + b to rows that come batch by batch, in float64.

    Args:
        inputs: elements of x.
        outputs: elements of y.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        self._squares = torch.zeros(inputs + 1, inputs + 1, dtype=torch.float64)
        self._products = torch.zeros(inputs + 1, outputs, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Take rows x [N, inputs] and y [N, outputs]."""
        ones = torch.ones(len(x), 1, dtype=torch.float64, device=x.device)
        rows = torch.cat([x.double(), ones], -1)
        self._squares += (rows.T @ rows).cpu()
        self._products += (rows.T @ y.double()).cpu()

    @torch.no_grad()
    def solve(self, layer: nn.Linear) -> None:
        """Set a layer to the fit."""
        ridge = RIDGE * self._squares.diagonal()[:-1].mean().clamp_min(1e-12)
        damped = self._squares.clone()
        damped.diagonal()[:-1] += ridge
        fitted = torch.linalg.solve(damped, self._products)
        layer.weight.copy_(fitted[:-1].T)
        layer.bias.copy_(fitted[-1])
