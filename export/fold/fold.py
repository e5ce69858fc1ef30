"""Fold BatchNorm, 1/tau and v_reset away (design section 1).

A LIF neuron behind a linear layer, u = v + (x - (v - v_reset)) / tau, is u' = decay v' + x' after

    decay = 1 - 1/tau        x' = x / tau, folded into the layer's weight and bias
    v' = v - v_reset         so the threshold becomes threshold - v_reset and the reset goes to 0

Where no layer precedes (residual currents, attention products) the factor g of x' = g x moves
into the threshold instead: u / g = decay v / g + x fires at threshold / g. Sums are formed in
float64 and rounded once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from export.fold.folded import FoldedConv, FoldedLIF, FoldedLinear
from train.config import LIFConfig
from train.models.layers import ConvBN, LinearBN


def fold_lif(config: LIFConfig, threshold: float, gain: float = 1.0) -> FoldedLIF:
    """The exported form of a neuron.

    Args:
        config: tau and reset.
        threshold: of this neuron, before folding.
        gain: factor left on the neuron's input, x' = gain * x, that moves into the threshold; 1
            where a preceding layer has taken 1/tau.
    """
    reset = "soft" if config.v_reset is None else "hard"
    shifted = threshold - (config.v_reset or 0.0)
    return FoldedLIF(1 - 1 / config.tau, shifted / gain, reset)


def fold_linear(layer: LinearBN, gain: float = 1.0) -> FoldedLinear:
    """Gain * BN(W x) as one affine map."""
    scale, shift = _batch_norm(layer.bn)
    weight = _f64(layer.linear.weight) * scale[:, None] * gain
    return FoldedLinear(weight.T.astype(np.float32), (shift * gain).astype(np.float32))


def fold_conv(layer: ConvBN, gain: float = 1.0) -> FoldedConv:
    """Gain * BN(conv(x)) as one convolution with bias."""
    scale, shift = _batch_norm(layer.bn)
    weight = _f64(layer.conv.weight) * scale[:, None, None, None] * gain
    bias, conv = (shift * gain).astype(np.float32), layer.conv
    return FoldedConv(weight.astype(np.float32), bias, conv.stride[0], conv.groups)


def _batch_norm(
    bn: nn.BatchNorm1d | nn.BatchNorm2d,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """BN(x) = scale x + shift, per channel, with the running statistics."""
    assert bn.running_mean is not None and bn.running_var is not None
    scale = _f64(bn.weight) / np.sqrt(_f64(bn.running_var) + bn.eps)
    return scale, _f64(bn.bias) - _f64(bn.running_mean) * scale


def _f64(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().double().numpy()
