"""Float32 matrix products on a CPU with AVX-512: oneDNN's, which PyTorch keeps for its compiler.

PyTorch's eager `linear` calls MKL, which on processors of other makers than Intel does not use
AVX-512; oneDNN does everywhere. The choice depends on the processor alone, never on a measurement,
so that a resumed run adds in the same order as the run it continues.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable


class Linear(nn.Linear):
    """`nn.Linear` without bias on rows [M, in], by oneDNN where that is faster."""

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__(features_in, features_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x W^T: [M, in] -> [M, out]."""
        if not _suits(x, self.weight):
            return super().forward(x)
        return cast(Tensor, _OneDnnLinear.apply(x, self.weight))


def _suits(x: Tensor, weight: Tensor) -> bool:
    plain = x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu"
    return (
        plain
        and x.shape[0] > 0
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and has_onednn_products()
    )


@cache
def has_onednn_products() -> bool:
    """Whether this processor gains and this PyTorch offers them."""
    return (
        torch.backends.cpu.get_cpu_capability() == "AVX512"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a b^T of float32 matrices in any layout, by oneDNN."""
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""))


class _OneDnnLinear(torch.autograd.Function):
    """`x W^T` whose three products are oneDNN's."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        """Keep what the gradients need."""
        ctx.save_for_backward(x, weight)
        return _product(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Both gradients, where they are wanted."""
        x, weight = ctx.saved_tensors
        wants_x, wants_weight = ctx.needs_input_grad
        return (
            _product(gradient, weight.t()) if wants_x else None,
            _product(gradient.t(), x.t()) if wants_weight else None,
        )
