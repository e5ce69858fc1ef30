"""Fold a network: its convolutions, linear layers and neurons, as the architecture places them."""

from __future__ import annotations

import numpy as np
from torch import nn

from export.fold.fold import fold_conv, fold_linear
from export.fold.folded import (
    BlockPlan,
    FoldedLIF,
    FoldedLinear,
    ForecastPlan,
    NetworkPlan,
    StemPlan,
)
from export.fold.neurons import fold_neurons
from export.fold.staircases import folded_staircase, of_one_shape
from train.config import ModelConfig
from train.models import SpikingTransformer
from train.models.blocks import Block
from train.models.network import pixel_affine


@np.errstate(over="ignore", invalid="ignore")  # finite.py names what overflows
def make_plan(network: SpikingTransformer) -> NetworkPlan:
    """Fold a network in its current state."""
    config = network.config
    scale, shift = (part.numpy() for part in pixel_affine(config))
    blocks = tuple(_block(block, config) for block in network.blocks)  # type: ignore[arg-type]
    head_lif = fold_neurons(config).residual if config.head_lif else None
    stem, head, forecasts = _stem(network), _as_it_is(network.head), _forecasts(network)
    return NetworkPlan(config, scale, shift, stem, blocks, head, head_lif, forecasts)


def _forecasts(network: SpikingTransformer) -> tuple[ForecastPlan, ...]:
    if network.forecasts is None:
        return ()
    pairs = zip(network.forecasts.values, network.forecasts.certainties, strict=True)
    return tuple(ForecastPlan(*(_as_it_is(layer) for layer in pair)) for pair in pairs)  # type: ignore[arg-type]


def _as_it_is(layer: nn.Linear) -> FoldedLinear:
    """A layer behind which there is nothing to fold."""
    return FoldedLinear(
        layer.weight.detach().cpu().numpy().T.copy(), layer.bias.detach().cpu().numpy()
    )


def _stem(network: SpikingTransformer) -> StemPlan:
    config, neurons = network.config, fold_neurons(network.config)
    # A neuron follows every convolution but those whose current is kept as such.
    architecture = config.architecture
    staged = bool(config.stages) and architecture.lif_first
    kept = range(len(config.stages)) if staged else architecture.kept_currents
    convs = tuple(
        fold_conv(conv, 1.0 if stage in kept else neurons.gain)  # type: ignore[arg-type]
        for stage, conv in enumerate(network.stem.convs)
    )
    lif, residual, gate = neurons.plain, neurons.residual, neurons.on_sums(1.0)
    if config.stem.kind != "isps":
        return StemPlan(convs, lif, residual, None, None, gate)
    assert isinstance(lif, FoldedLIF) and isinstance(residual, FoldedLIF)
    stairs, residual_stairs = (folded_staircase(each, config.timesteps) for each in (lif, residual))
    stairs, residual_stairs = of_one_shape(stairs, residual_stairs)
    return StemPlan(convs, lif, residual, stairs, residual_stairs, gate)


def _block(block: Block, config: ModelConfig) -> BlockPlan:
    neurons = fold_neurons(config)
    first, attends = config.architecture.lif_first, config.architecture.attention
    attention, mlp = block.attention, block.mlp
    scale = config.attention_scale if attends.scaled else 1.0
    out = 1.0 if first else neurons.gain
    return BlockPlan(
        in_lif=neurons.residual if first else None,
        qkv=fold_linear(attention.qkv, neurons.gain),
        attn_lif=neurons.on_sums(scale),
        proj=fold_linear(attention.proj, out),
        fc1=fold_linear(mlp.fc1, 1.0 if config.adds_square_mlp else neurons.gain),
        fc2=fold_linear(mlp.fc2, out),
        lif=neurons.plain,
        linear=fold_linear(block.linear) if config.linear_first else None,
    )
