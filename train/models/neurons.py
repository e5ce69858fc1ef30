"""Neurons: SpikingJelly's LIF over all timesteps, integers without membranes, firing rates.

`firing` gives an architecture's neuron, `LIF` or `Integer`. `LIF` is a SpikingJelly `LIFNode` (same
attributes, same surrogate functions, same arithmetic) with absent tokens and constant currents, run
over all timesteps in one autograd node that keeps only the membranes. It holds no state between
calls: there is nothing to reset. `Rate` is the I-SPS neuron: spikes of a constant current averaged
over T.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor, nn

from train.config import LIFConfig, ModelConfig
from train.models.kernels import kernels
from train.staircase import lif_counts, staircase

_SURROGATES = {"sigmoid": surrogate.Sigmoid, "atan": surrogate.ATan}


class _LIFFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, live: Tensor | None, node: LIF) -> Tensor:
        spikes, u = kernels().lif_sequence(
            x, node.steps, node.tau, node.v_threshold, node.v_reset, live
        )
        ctx.node, ctx.constant = node, x.shape[0] == 1 and node.steps > 1
        ctx.save_for_backward(u, live)
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        u, live = ctx.saved_tensors
        node: LIF = ctx.node
        hard, kind = node.v_reset is not None, node.config.surrogate
        alpha = node.config.surrogate_alpha
        dx = kernels().lif_gradient(
            grads[0], u, node.tau, node.v_threshold, hard, kind, alpha, live
        )
        return (dx.sum(0, keepdim=True) if ctx.constant else dx), None, None


class LIF(neuron.LIFNode):  # type: ignore[misc]
    """Leaky integrate-and-fire layer over all timesteps of tokens or feature maps.

    Args:
        config: tau, thresholds, reset, surrogate.
        steps: T.
        threshold: overrides `config.threshold` (0.5 after attention).
    """

    def __init__(self, config: LIFConfig, steps: int, threshold: float | None = None) -> None:
        super().__init__(
            tau=config.tau,
            v_threshold=config.threshold if threshold is None else threshold,
            v_reset=config.v_reset,
            surrogate_function=_SURROGATES[config.surrogate](alpha=config.surrogate_alpha),
            detach_reset=True,
            step_mode="m",
        )
        self.config = config
        self.steps = steps

    def forward(self, x: Tensor, live: Tensor | None = None) -> Tensor:
        """Currents [T, ...] or constant [1, ...] to spikes [T, ...] of the same dtype.

        Feature maps [T, B, C, H, W] are taken, and returned, with channels last in memory.
        """
        if x.ndim == 5:
            spikes = cast(Tensor, _LIFFunction.apply(x.permute(0, 1, 3, 4, 2), None, self))
            return spikes.permute(0, 1, 4, 2, 3)
        return cast(Tensor, _LIFFunction.apply(x, live, self))


class _IntegerFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: int) -> Tensor:
        ctx.levels = levels
        ctx.save_for_backward(x)
        return torch.floor(x.clamp(0, levels) + 0.5) / levels

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        return grads[0] * ((x > 0) & (x < ctx.levels)) / ctx.levels, None


class Integer(nn.Module):
    """A current to one of the integers 0..D, over D (spike firing approximation, arXiv 2411.16061).

    Gradients pass where nothing is cut off.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor, live: Tensor | None = None) -> Tensor:
        """Currents of any shape to values of the same shape and dtype; absent tokens give zero."""
        values = cast(Tensor, _IntegerFunction.apply(x, self.levels))
        return values if live is None else values * live.unsqueeze(-1).to(values.dtype)


def firing(config: ModelConfig, threshold: float | None = None) -> LIF | Integer:
    """The neuron of an architecture; `threshold` overrides the configured one."""
    if config.architecture.integer:
        return Integer(config.lif.levels)
    return LIF(config.lif, config.timesteps, threshold)


class _RateFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: Rate) -> Tensor:
        ctx.rate = rate
        ctx.save_for_backward(x)
        return kernels().rate_forward(x, rate.at, rate.weight)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        rate: Rate = ctx.rate
        kind, alpha = rate.config.surrogate, rate.config.surrogate_alpha
        return kernels().rate_gradient(grads[0], x, rate.at, rate.weight, kind, alpha), None


class Rate(nn.Module):
    """I-SPS neuron (STAS 3.1): the LIF iterated T times on a constant current, spikes averaged.

    Forward evaluates the staircase that equals the iteration; backward sums the surrogate over its
    steps.
    """

    def __init__(self, config: LIFConfig, steps: int) -> None:
        super().__init__()
        count = lif_counts(config.tau, config.threshold, config.v_reset, steps)
        # A current of 2 tau times the threshold fires at the first step and at every later one.
        highest = 2 * config.tau * (config.threshold + abs(config.v_reset or 0.0))
        stairs = staircase(count, steps, highest)
        self.config, self.steps = config, steps
        self.at, self.weight = list(stairs.at), [weight / steps for weight in stairs.weight]

    def forward(self, x: Tensor) -> Tensor:
        """Currents of any shape to firing rates, multiples of 1/T, same shape and dtype."""
        return cast(Tensor, _RateFunction.apply(x, self))
